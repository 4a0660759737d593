"""What this computer keeps of a VM: private, whole or not at all, and deleted only where it is ours."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord, every, own_folder, vm_id
from infra.plugins.server import PluginError

URN = "urn:pulumi:prod::mctl::mctl:infra:Machine$hypervisor:index:VirtualMachine::web-1-vm"


def made(name: str = "web-1") -> VmFolder:
    folder = VmFolder(name)
    folder.make()
    folder.save(VmRecord(URN, "qemu", {"cpus": 2}, "digest", {"22": 2222}, whole=True))
    return folder


def test_an_id_is_readable_and_tells_stacks_apart() -> None:
    assert vm_id(URN).startswith("mctl-prod-web-1-vm-")
    assert vm_id(URN) != vm_id(URN.replace("prod", "test"))


@pytest.mark.parametrize("name", ["../x", "", "a/b", ".hidden"])
def test_an_id_that_leads_elsewhere_is_refused(name: str) -> None:
    with pytest.raises(PluginError, match="is not the id of a VM"):
        VmFolder(name)


def test_a_record_is_read_back_and_private() -> None:
    folder = made()
    record = folder.load()
    assert record == VmRecord(URN, "qemu", {"cpus": 2}, "digest", {"22": 2222}, whole=True)
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder.path / "vm.json").stat().st_mode) == 0o600
    assert [found.id for found in every()] == ["web-1"]


def test_a_damaged_record_is_named_with_the_way_out() -> None:
    folder = made()
    (folder.path / "vm.json").write_text("{")
    with pytest.raises(PluginError, match=r"the record of VM web-1 can't be read .* Put .*vm\.json right, or delete"):
        folder.load()


def test_a_folder_that_is_not_ours_is_neither_used_nor_deleted(home: Path) -> None:
    folder = VmFolder("web-1")
    folder.path.mkdir(parents=True)
    (folder.path / "precious").touch()
    with pytest.raises(PluginError, match=r"is there and holds no VM of ours\. Move it away"):
        folder.make()
    folder.remove()
    assert (folder.path / "precious").exists()


def test_remove_leaves_nothing_and_may_be_repeated() -> None:
    folder = made()
    folder.remove()
    folder.remove()
    assert not folder.path.exists()
    assert every() == []


def test_a_new_vm_never_gets_the_folder_of_one_that_was_renamed() -> None:
    renamed = own_folder(URN)
    renamed.make()
    renamed.save(VmRecord(URN.replace("web-1", "web-2"), "qemu", {}, "digest", whole=True))
    fresh = own_folder(URN)
    assert fresh.id == f"{renamed.id}-2"
    fresh.make()
    fresh.save(VmRecord(URN, "qemu", {}, "digest", whole=True))
    assert own_folder(URN).id == fresh.id


def test_a_vm_that_was_renamed_is_found_by_its_new_name_alone() -> None:
    renamed = own_folder(URN)
    renamed.make()
    new = URN.replace("web-1", "web-2")
    renamed.save(VmRecord(new, "qemu", {}, "digest", whole=True))
    assert own_folder(new).id == renamed.id


def test_a_damaged_record_of_another_vm_stands_in_nobodys_way() -> None:
    (made("another").path / "vm.json").write_text("{")
    assert own_folder(URN).id == vm_id(URN)
