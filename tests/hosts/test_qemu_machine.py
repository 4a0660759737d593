"""A machine on this computer, from a create that is killed half-way to rm."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.plugins.hypervisor import ports, requirements
from tests.engine.conftest import pulumi_program
from tests.hosts.shop import Shop, tiny_image

__all__ = ["pulumi_program"]
CREATE = ("create", "vm", "--qemu-memory", "1024", "--engine-label", "tier=web")
NOT_RUNNING = (1, "", 'Error: machine "vm" is not running\n  hint: mctl start vm\n')


def vm_process(shop: Shop) -> psutil.Process:
    (pid_file,) = (shop.home / "vms").glob("*/qemu.pid")
    return psutil.Process(int(pid_file.read_text()))


def console(shop: Shop) -> str:
    """Read what the VM's kernel has said since its last start."""
    (log,) = (shop.home / "vms").glob("*/serial.log")
    return log.read_text(errors="replace")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, pulumi_program: Path) -> Iterator[Shop]:
    amiss = [finding for finding in requirements.check_host() if not finding.ok]
    if amiss:
        pytest.skip(f"{amiss[0].what} is {amiss[0].found}: {amiss[0].mend}")
    shop = Shop(tmp_path_factory.mktemp("qemu"))
    yield shop
    shop.mctl("rm", "-y", "vm")


def test_a_create_that_is_killed_while_the_vm_boots_is_finished_by_create_again_on_the_same_vm(shop: Shop) -> None:
    run = shop.start(*CREATE)
    state = shop.home / "state" / ".pulumi" / "stacks" / "mctl" / "vm.json"
    while not state.exists() or "instanceId" not in state.read_text():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    pid = vm_process(shop).pid
    ran = shop.mctl(*CREATE)
    assert ran.code == 0, ran.err
    assert vm_process(shop).pid == pid
    assert re.fullmatch(
        r"Docker \S+ is up and running on vm \((boot \d+ s, )?install \d+ s, configure \d+ s\)\n", ran.out
    )


def test_a_container_runs_on_it_through_its_context_and_through_env(shop: Shop) -> None:
    shop.docker("--context", "vm", "import", "-", "tiny", stdin=tiny_image())
    script = 'eval "$(mctl env vm)" && docker run --rm tiny /bin/sh -c "echo from inside"'
    said = subprocess.run(["bash", "-c", script], env=shop.with_programs(), capture_output=True, text=True, timeout=120)
    assert (said.returncode, said.stdout, said.stderr) == (0, "from inside\n", "")


def test_the_vm_leaves_the_networks_of_containers_to_docker(shop: Shop) -> None:
    shop.docker("--context", "vm", "run", "--detach", "--rm", "--name", "lasting", "tiny", "/bin/sleep", "600")
    links = shop.mctl("ssh", "vm", "networkctl", "list", "--no-legend", "--no-pager").out.splitlines()
    shop.docker("--context", "vm", "rm", "--force", "lasting")
    setup = {name.rstrip("0123456789"): setup for _, name, _, _, setup in map(str.split, links) if name != "lo"}
    assert {kind: state for kind, state in setup.items() if not kind.startswith("veth")} == {
        "docker": "unmanaged",
        "enp0s": "configured",
    }
    assert [state for kind, state in setup.items() if kind.startswith("veth")] == ["unmanaged"]


def test_ssh_trusts_the_injected_host_key_alone(shop: Shop) -> None:
    assert shop.mctl("ssh", "vm", "sudo", "-n", "id", "-u") == (0, "0\n", "")
    known_hosts = shop.home / "machines" / "vm" / "known_hosts"
    before = known_hosts.read_text()
    known_hosts.write_text(
        re.sub(r"AAAA\S+", "AAAAC3NzaC1lZDI1NTE5AAAAIE3T6B4kjOkQ4pDGNBtEYjSCpPJJ5WZJZ7n9qs6WmxEn", before)
    )
    refused = shop.mctl("ssh", "vm", "true")
    known_hosts.write_text(before)
    assert refused.code == 255
    assert "Host key verification failed" in refused.err


def test_stop_and_start_keep_the_ports_and_the_data(shop: Shop) -> None:
    url = shop.mctl("url", "vm").out
    stop = shop.start("stop", "vm")
    reads = set()
    while stop.poll() is None:
        reads.add(shop.mctl("url", "vm"))
    assert stop.communicate()[0].splitlines()[-1] == 'Machine "vm" was stopped.'
    assert reads <= {(0, url, ""), NOT_RUNNING}
    assert "reboot: Power down" in console(shop)
    assert shop.mctl("stop", "vm") == (0, 'Machine "vm" is already stopped.\n', "")
    assert shop.mctl("status", "vm") == (0, "Stopped\n", "")
    assert shop.mctl("url", "vm") == NOT_RUNNING
    assert shop.mctl("set", "vm", "--memory", "1280", "-y").out.splitlines()[-1] == 'Machine "vm" was changed.'
    starts = [shop.start("start", "vm") for _ in range(2)]
    said = [start.communicate(timeout=300)[0] for start in starts]
    assert sorted(start.returncode for start in starts) == [0, 1], said
    assert [text.splitlines()[-1] for text in said if "Error" not in text] == ['Machine "vm" was started.']
    assert any("Error: stack vm is locked by another mctl (pid " in text for text in said)
    assert shop.mctl("start", "vm") == (0, 'Machine "vm" is already running.\n', "")
    assert shop.mctl("url", "vm").out == url
    assert 1100 < int(shop.mctl("ssh", "vm", "awk '/MemTotal/ {print int($2/1024)}' /proc/meminfo").out) < 1280
    assert shop.docker("--context", "vm", "images", "--format", "{{.Repository}}") == "tiny"


def test_a_change_of_memory_says_that_the_vm_restarts_and_a_rename_leaves_it_alone(shop: Shop) -> None:
    assert shop.mctl("set", "vm", "--memory", "1536", "--dry-run").out == "vm: restarts the VM\n"
    pid, created = vm_process(shop).pid, shop.inspect("vm")["created"]
    assert shop.mctl("rename", "vm", "db").out == 'Machine "vm" is now "db".\n'
    assert shop.mctl("preview", "db").out == "no changes\n"
    assert shop.inspect("db")["created"] == created
    assert shop.contexts() == ["db"]
    assert shop.mctl("rename", "db", "vm").out == 'Machine "db" is now "vm".\n'
    assert vm_process(shop).pid == pid


def test_a_vm_that_was_killed_behind_our_back_is_seen_by_refresh_and_mended_by_up(shop: Shop) -> None:
    vm_process(shop).send_signal(signal.SIGKILL)
    assert shop.mctl("refresh", "vm").code == 0
    assert "update   hypervisor:index:VirtualMachine vm-vm  (running)" in shop.mctl("preview", "vm").out
    assert shop.mctl("up", "vm").code == 0
    assert vm_process(shop).is_running()


def test_kill_does_not_ask_the_guest(shop: Shop) -> None:
    assert shop.mctl("kill", "vm").out == 'Machine "vm" was killed.\n'
    assert "reboot: Power down" not in console(shop)
    assert shop.mctl("ls").out.splitlines()[1].split() == ["vm", "-", "qemu", "Stopped", "Unknown"]


def test_rm_of_a_stopped_machine_leaves_no_process_disk_port_context_record_or_stack(shop: Shop) -> None:
    (record,) = (shop.home / "vms").glob("*/vm.json")
    forwarded = [int(port) for port in re.findall(r'"(?:22|2376)": (\d+)', record.read_text()) if int(port)]
    assert shop.mctl("rm", "-y", "vm") == (0, "Successfully removed vm\n", "(vm) Removing the virtual machine\n")
    assert shop.left() == []
    assert forwarded and all(ports.is_free(port) for port in forwarded)
    assert not [
        each for each in psutil.process_iter(["cmdline"]) if str(shop.home) in " ".join(each.info["cmdline"] or [])
    ]
