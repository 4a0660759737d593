"""What the VM is told to do with shared folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.components.engine_scripts.shares import mount_shares_as_root
from tests.unit.infra.components.scratch_host import ScratchHost

PROGRAM = "usr/local/lib/mctl/mount-shares"
UNIT = "etc/systemd/system/mctl-shares.service"


@pytest.fixture
def host(tmp_path: Path) -> ScratchHost:
    made = ScratchHost(tmp_path / "root", "ID=debian\n")
    (made.root / "etc/systemd/system").mkdir(parents=True)
    (made.bin / "id").unlink()
    made.program("id", {"'-u me'": "echo 1000", "'-g me'": "echo 1001"})
    made.program("systemctl", {"daemon-reload": ":", "'enable mctl-shares.service'": ":"})
    made.program("modprobe", {"'-q vboxsf'": ":"})
    made.program("mountpoint", {"'-q /mctl-test-src'": "false", "'-q /mctl-test-data'": ":"})
    return made


def run(host: ScratchHost, kind: str) -> list[str]:
    script = mount_shares_as_root("box", kind, ("mctl-test-src", "mctl-test-data"), "me", "mend it")
    # The mount points are the root's own folders.
    return host.run(script.replace('mkdir -p "/', 'true "/')).stderr.splitlines()


def test_virtualbox_shares_are_mounted_for_the_user_once_and_before_docker_at_each_start(host: ScratchHost) -> None:
    host.program("mount", {"*": ":"})
    assert run(host, "vboxsf") == ["mctl-step: mounting shared folders"]
    assert host.calls("mount") == ["-c -t vboxsf -o uid=1000,gid=1001 mctl-test-src /mctl-test-src"]
    assert host.calls("systemctl") == ["daemon-reload", "enable mctl-shares.service"]
    assert f"ExecStart=-{host.root}/{PROGRAM}\n" in host.read(UNIT)
    assert "Before=docker.service\n" in host.read(UNIT)


def test_a_kernel_without_the_module_is_told(host: ScratchHost) -> None:
    host.program("modprobe", {"*": "exit 1"})
    host.program("mount", {"*": "echo 'mount: unknown filesystem type vboxsf.' >&2; exit 32"})
    assert run(host, "vboxsf")[1:] == [
        "mctl-error: shared folders can't be mounted in the VM: mount: unknown filesystem type vboxsf.; its kernel has "
        "no module vboxsf",
        "mctl-mend: mend it",
    ]
    assert not (host.root / UNIT).exists()


def test_open_vm_tools_are_installed_where_they_are_missing(host: ScratchHost) -> None:
    tools = f"printf '#!/bin/sh\\necho vmhgfs-fuse \"$@\" >>{host.root}/calls\\n' >{host.bin}/vmhgfs-fuse"
    host.program("apt-get", {"*update": ":", "*open-vm-tools": f"{tools}; chmod 755 {host.bin}/vmhgfs-fuse"})
    assert run(host, "hgfs")[0] == "mctl-step: installing open-vm-tools, which mounts shared folders"
    assert host.calls("vmhgfs-fuse") == [
        ".host:/mctl-test-src /mctl-test-src -o allow_other,uid=1000,gid=1001",
    ]


def test_open_vm_tools_that_cannot_be_had_are_told(host: ScratchHost) -> None:
    host.program("apt-get", {"*": "echo 'E: Unable to locate package open-vm-tools'; exit 100"})
    assert run(host, "hgfs")[1:] == [
        "mctl-error: open-vm-tools, which mounts shared folders, can't be installed: E: Unable to locate package "
        "open-vm-tools",
        "mctl-mend: see that the VM reaches Debian's packages, then run mctl up",
    ]
