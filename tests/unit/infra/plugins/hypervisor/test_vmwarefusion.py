"""The .vmx file, and where a guest's address comes from."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from infra.plugins.hypervisor import vmwarefusion
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

INPUTS: dict[str, Any] = {"cpus": 2, "memory": 2048, "disk": 20, "shares": {}}
VMX = 'memsize = "2048"\nnumvcpus = "2"\nethernet0.generatedAddress = "00:0c:29:aa:bb:cc"\n'
PROGRAM = """\
#!/bin/sh
case "$3" in
    list) printf 'Total running VMs: 1\\n%s\\n' '{running}' ;;
    getGuestIPAddress) echo 'Error: The VMware Tools are not running in the virtual machine'; exit 255 ;;
    *) exit 1 ;;
esac
"""
LEASES = """\
lease 172.16.2.128 {
\thardware ethernet 00:0c:29:aa:bb:cc;
}
lease 172.16.2.129 {
\thardware ethernet 00:0c:29:aa:bb:cc;
}
lease 172.16.2.130 {
\thardware ethernet 00:0c:29:00:00:00;
}
"""


@pytest.fixture
def folder(home: Path) -> VmFolder:
    del home
    made = VmFolder("mctl-web-1-vm-0123abcd")
    made.make()
    made.save(VmRecord("urn", "vmwarefusion", INPUTS, "", whole=True))
    made.write("vm.vmx", VMX.encode())
    made.write("disk.vmdk", b"")
    return made


def vmrun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Path) -> None:
    program = tmp_path / "bin" / "vmrun"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(running=running))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")


def look(folder: VmFolder) -> object:
    record = folder.load()
    assert record
    return asyncio.run(vmwarefusion.look(folder, record))


def test_without_tools_the_address_is_that_of_the_last_lease(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmrun(tmp_path, monkeypatch, folder.path / "vm.vmx")
    (tmp_path / "leases").write_text(LEASES)
    monkeypatch.setattr(vmwarefusion, "LEASES", tmp_path / "leases")
    assert look(folder) == ("Running", "172.16.2.129", "172.16.2.129", 22, 2376)


def test_one_that_does_not_run_has_no_address(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmrun(tmp_path, monkeypatch, Path("/elsewhere/vm.vmx"))
    assert look(folder) == ("Stopped", "", "", 22, 2376)
    folder.write("vm.vmx", f'{VMX}checkpoint.vmState = "vm.vmss"\n'.encode())
    assert look(folder) == ("Saved", "", "", 22, 2376)
    with pytest.raises(PluginError, match="is saved"):
        asyncio.run(vmwarefusion.change(folder, INPUTS, INPUTS | {"memory": 4096}))


def test_a_change_keeps_what_fusion_wrote_into_the_file(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmrun(tmp_path, monkeypatch, Path("/elsewhere/vm.vmx"))
    asyncio.run(vmwarefusion.change(folder, INPUTS, INPUTS | {"memory": 4096}))
    assert (folder.path / "vm.vmx").read_text() == VMX.replace("2048", "4096")


def test_other_shares_take_the_place_of_those_in_the_file(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vmrun(tmp_path, monkeypatch, Path("/elsewhere/vm.vmx"))
    for shares in ({"a": "/a", "b": "/b"}, {"src": '/Users/me/a "b"'}):
        asyncio.run(vmwarefusion.change(folder, INPUTS, INPUTS | {"shares": shares}))
    text = (folder.path / "vm.vmx").read_text()
    assert 'sharedFolder.maxNum = "1"\n' in text
    assert 'sharedFolder0.hostPath = "/Users/me/a |22b|22"\nsharedFolder0.guestName = "src"\n' in text
    assert "sharedFolder1" not in text
    asyncio.run(vmwarefusion.change(folder, INPUTS, INPUTS))
    assert "sharedFolder" not in (folder.path / "vm.vmx").read_text()
