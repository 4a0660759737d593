"""What is asked of VBoxManage, by what state VirtualBox says the VM is in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.plugins.hypervisor import virtualbox
from infra.plugins.hypervisor.backend import own_name
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

INPUTS: dict[str, Any] = {"cpus": 2, "memory": 2048, "disk": 20, "forwards": {"22": 0}, "shares": {}}
PROGRAM = """\
#!/bin/sh
echo "$*" >>{calls}
[ "$1" != showvminfo ] || {{ cat {facts} && exit 0; echo 'Details: code VBOX_E_OBJECT_NOT_FOUND' >&2; exit 1; }}
"""
Says = Callable[..., None]


async def log(_text: str) -> None: ...


@pytest.fixture
def folder(home: Path) -> VmFolder:
    del home
    made = VmFolder("mctl-web-1-vm-0123abcd")
    made.make()
    made.save(VmRecord("urn", "virtualbox", INPUTS, "", ports={"22": 40022}, whole=True))
    return made


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Put a VBoxManage on PATH that knows one VM or none; give what it was asked beside questions."""
    program, made = tmp_path / "bin" / "VBoxManage", tmp_path / "calls"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(calls=made, facts=tmp_path / "facts"))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return lambda: [line for line in made.read_text().splitlines() if not line.startswith("showvminfo")]


@pytest.fixture
def says(tmp_path: Path, folder: VmFolder) -> Says:
    def say(state: str, settings: Path | None = None) -> None:
        file = settings or folder.path / "x" / "x.vbox"
        rule = 'Forwarding(0)="tcp80,tcp,127.0.0.1,8000,,80"'
        (tmp_path / "facts").write_text(f'name="x"\nCfgFile="{file}"\nVMState="{state}"\nmemory=2048\n{rule}\n')

    return say


def record(folder: VmFolder) -> VmRecord:
    found = folder.load()
    assert found
    return found


@pytest.mark.parametrize(
    ("word", "state"),
    [("running", "Running"), ("paused", "Paused"), ("saved", "Saved"), ("poweroff", "Stopped"), ("aborted", "Stopped")],
)
def test_a_state_is_told_in_our_words(
    word: str, state: str, folder: VmFolder, says: Says, calls: Callable[[], list[str]]
) -> None:
    says(word)
    look = asyncio.run(virtualbox.look(folder, record(folder)))
    assert look == (state, "127.0.0.1", "10.0.2.15", 40022, 0)
    assert calls() == []


def test_start_resumes_a_paused_vm_and_wakes_a_saved_one_unchanged(
    folder: VmFolder, says: Says, calls: Callable[[], list[str]]
) -> None:
    for state in ("paused", "saved", "running"):
        says(state)
        asyncio.run(virtualbox.start(folder, record(folder), log))
    name = own_name(folder)
    assert calls() == [f"controlvm {name} resume", f"startvm {name} --type headless"]


def test_start_replaces_the_forwarded_ports(folder: VmFolder, says: Says, calls: Callable[[], list[str]]) -> None:
    says("poweroff")
    asyncio.run(virtualbox.start(folder, record(folder), log))
    name, port = own_name(folder), record(folder).ports["22"]
    assert calls() == [
        f"modifyvm {name} --natpf1 delete tcp80 --natpf1 tcp22,tcp,127.0.0.1,{port},,22",
        f"startvm {name} --type headless",
    ]


def test_a_saved_vm_is_not_changed(folder: VmFolder, says: Says, calls: Callable[[], list[str]]) -> None:
    says("saved")
    with pytest.raises(PluginError, match="is saved, and can be changed when it is off"):
        asyncio.run(virtualbox.change(folder, INPUTS, INPUTS | {"memory": 4096}))
    assert calls() == []


def test_a_disk_grows_in_megabytes(folder: VmFolder, says: Says, calls: Callable[[], list[str]]) -> None:
    says("poweroff")
    asyncio.run(virtualbox.change(folder, INPUTS, INPUTS | {"disk": 30}))
    assert calls() == [
        f"modifyvm {own_name(folder)} --cpus 2 --memory 2048",
        f"modifymedium disk {folder.path}/disk.vdi --resize 30720",
    ]


def test_other_shares_take_the_place_of_those_that_there_are(
    folder: VmFolder, says: Says, calls: Callable[[], list[str]], tmp_path: Path
) -> None:
    says("poweroff")
    with (tmp_path / "facts").open("a") as facts:
        facts.write('SharedFolderNameMachineMapping1="src"\nSharedFolderPathMachineMapping1="/home/me/src"\n')
    asyncio.run(virtualbox.change(folder, INPUTS, INPUTS | {"shares": {"data": "/home/me/my data"}}))
    name = own_name(folder)
    assert calls()[1:] == [
        f"sharedfolder remove {name} --name src",
        f"sharedfolder add {name} --name data --hostpath /home/me/my data",
    ]


def test_a_vm_of_the_same_name_elsewhere_is_left_alone(
    folder: VmFolder, says: Says, calls: Callable[[], list[str]]
) -> None:
    says("running", Path("/home/me/VirtualBox VMs/x/x.vbox"))
    with pytest.raises(PluginError, match="which is not ours"):
        asyncio.run(virtualbox.delete(folder))
    assert calls() == []
    assert folder.load()


def test_delete_of_one_that_is_gone_removes_the_folder(folder: VmFolder, calls: Callable[[], list[str]]) -> None:
    asyncio.run(virtualbox.delete(folder))
    assert calls() == []
    assert not folder.path.exists()
