"""A real VM by the real Pulumi engine and our plugin: made, looked at, changed, broken and removed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pulumi
import pytest
from pulumi import automation as auto

from infra.components.drivers.hypervisor import VirtualMachine
from infra.plugins.hypervisor import ports, requirements
from tests.engine.conftest import NewStack, new_stack, plugin_folder, pulumi_home, pulumi_program

__all__ = ["new_stack", "plugin_folder", "pulumi_home", "pulumi_program"]
LOGIN_SECONDS = 120


def quiet_key(file: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True)
    return file


class Lab:
    """One stack with one VM, and what a user does to them."""

    def __init__(self, folder: Path, new_stack: NewStack) -> None:
        self.folder = folder
        self.user_key, self.host_key = quiet_key(folder / "user"), quiet_key(folder / "host")
        self.inputs: dict[str, Any] = {}
        self.stack = new_stack("vm", self._program)

    def _program(self) -> None:
        vm = VirtualMachine(
            "web-1-vm",
            {
                "name": "web-1",
                "memory": 1024,
                "authorized_key": Path(f"{self.user_key}.pub").read_text(),
                "host_private_key": pulumi.Output.secret(self.host_key.read_text()),
                "host_public_key": Path(f"{self.host_key}.pub").read_text(),
                **self.inputs,
            },
        )
        pulumi.export("port", vm.ssh_port)
        pulumi.export("id", vm.instance_id)

    def up(self, **inputs: Any) -> auto.UpResult:
        self.inputs |= inputs
        return self.stack.up()

    @property
    def home(self) -> Path:
        return self.folder / "home" / "vms" / str(self.stack.outputs()["id"].value)

    @property
    def record(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "vm.json").read_text())
        return found

    @property
    def process(self) -> psutil.Process:
        return psutil.Process(int((self.home / "qemu.pid").read_text()))

    def state(self) -> dict[str, Any]:
        return next(each for each in self.resources() if each["type"].endswith("VirtualMachine"))

    def resources(self) -> list[dict[str, Any]]:
        return list((self.stack.export_stack().deployment or {})["resources"])

    def ssh(self, command: str) -> str:
        """Run a command in the VM as soon as it lets us in, trusting the injected host key alone."""
        port = self.record["ports"]["22"]
        known = self.folder / "known_hosts"
        known.write_text(f"[127.0.0.1]:{port} {Path(f'{self.host_key}.pub').read_text()}")
        line = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=5"]
        line += ["-o", f"UserKnownHostsFile={known}", "-i", str(self.user_key), "-p", str(port), "mctl@127.0.0.1"]
        deadline = time.monotonic() + LOGIN_SECONDS
        while True:
            tried = subprocess.run([*line, command], capture_output=True, text=True, check=False)
            if tried.returncode != 255:
                assert tried.returncode == 0, tried.stderr
                return tried.stdout
            assert time.monotonic() < deadline, tried.stderr
            time.sleep(0.5)


def runs(process: psutil.Process) -> bool:
    """Tell whether a process has not ended; one that waits to be reaped has."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, new_stack: NewStack) -> Iterator[Lab]:
    amiss = [finding for finding in requirements.check_host() if not finding.ok]
    if amiss:
        pytest.skip(f"{amiss[0].what} is {amiss[0].found}: {amiss[0].mend}")
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("MCTL_HOME", str(folder / "home"))
        made = Lab(folder, new_stack)
        try:
            yield made
        finally:
            made.stack.destroy()


def test_up_boots_a_vm_with_the_injected_keys_and_keeps_them_private(lab: Lab) -> None:
    lab.up()
    began = time.monotonic()
    assert lab.ssh("sudo -n id -u; hostname").split() == ["0", "web-1"]
    print(f"first login after {time.monotonic() - began:.1f} s, by {lab.record['accelerator']}")
    keys = lab.ssh("cat /etc/ssh/ssh_host_*_key.pub").split()[:2]
    assert keys == Path(f"{lab.host_key}.pub").read_text().split()[:2]
    assert stat.S_IMODE(lab.home.stat().st_mode) == 0o700
    assert stat.S_IMODE((lab.home / "seed.iso").stat().st_mode) == 0o600
    secret_line = lab.host_key.read_text().splitlines()[2]
    assert secret_line not in (lab.home / "vm.json").read_text()
    assert secret_line not in " ".join(lab.process.cmdline())


def test_only_the_loopback_address_is_listened_on(lab: Lab) -> None:
    listening = [each.laddr.ip for each in lab.process.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert listening and set(listening) == {"127.0.0.1"}


def test_a_second_up_changes_nothing(lab: Lab) -> None:
    assert lab.up().summary.resource_changes == {"same": 2}


def test_a_killed_vm_is_seen_by_refresh_and_started_again_on_its_ports_by_up(lab: Lab) -> None:
    before = lab.record["ports"]
    lab.process.send_signal(signal.SIGKILL)
    lab.stack.refresh()
    assert lab.state()["outputs"]["state"] == "Stopped"
    lab.up()
    assert lab.state()["outputs"]["state"] == "Running"
    assert runs(lab.process)
    assert lab.record["ports"] == before


def test_a_state_that_lost_the_vm_takes_the_running_one_over(lab: Lab) -> None:
    pid = lab.process.pid
    lost = lab.stack.export_stack()
    kept = [each for each in lab.resources() if not each["type"].endswith("VirtualMachine")]
    lost.deployment = {**(lost.deployment or {}), "resources": kept}
    lab.stack.import_stack(lost)
    assert lab.up().summary.resource_changes == {"create": 1, "same": 1}
    assert lab.process.pid == pid


def test_processors_memory_disk_and_ports_change_in_place_while_the_data_stays(lab: Lab) -> None:
    lab.ssh("echo kept >note; sync")
    changed = lab.up(cpus=1, memory=768, disk=24, forwards={"8080": 0})
    assert changed.summary.resource_changes == {"update": 1, "same": 1}
    assert lab.record["ports"].keys() == {"22", "2376", "8080"}
    note, processors = lab.ssh("cat note; nproc").split()
    assert (note, processors) == ("kept", "1")
    gibibytes = lab.ssh("systemctl is-active -q mctl-grow; sleep 2; df --output=size -BG / | tail -1")
    assert int(gibibytes.strip(" G\n")) >= 23
    assert 600 < int(lab.ssh("free -m").split()[7]) < 768


def test_running_false_shuts_down_and_true_starts_on_the_same_ports(lab: Lab) -> None:
    before, vm = lab.record["ports"], lab.process
    lab.up(running=False)
    assert not runs(vm)
    assert ports.is_free(before["22"])
    assert lab.state()["outputs"]["state"] == "Stopped"
    lab.up(running=True)
    assert lab.record["ports"] == before
    assert lab.ssh("cat note") == "kept\n"


def test_a_deleted_folder_is_seen_by_refresh_and_made_again_by_up(lab: Lab) -> None:
    folder, orphan = lab.home, lab.process
    shutil.rmtree(folder)
    lab.stack.refresh()
    assert not [each for each in lab.resources() if "VirtualMachine" in each["type"]]
    lab.up()
    assert not runs(orphan)
    assert lab.home == folder
    assert lab.ssh("ls").strip() == ""


def test_destroy_leaves_no_process_folder_or_port(lab: Lab) -> None:
    vm, forwarded = lab.process, lab.record["ports"]
    lab.stack.destroy()
    assert not runs(vm)
    assert os.listdir(lab.folder / "home" / "vms") == []
    assert all(ports.is_free(port) for port in forwarded.values())
