"""The vsphere driver, as far as its contract over the stand-in vCenter can't see it."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.components import drivers
from infra.components.drivers import Finding, vsphere, vsphere_account
from infra.errors import NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.certificates import Authority
from tests.clouds import vim
from tests.clouds import vsphere as standin
from tests.clouds.api import CA
from tests.clouds.vsphere import CLOUD
from tests.clouds.world import World

OWNER = "0123456789abcdef"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with CLOUD.serve(world) as variables:
        for name, value in {**variables, "REQUESTS_CA_BUNDLE": str(world.folder / CA)}.items():
            monkeypatch.setenv(name, value)
        yield world


def args(**options: Any) -> vsphere.VSphereArgs:
    return vsphere.VSphereArgs(**{"template": "debian-12", "datastore": "ssd"} | options)


def tagged(world: World, number: int, name: str, vm: str = "") -> None:
    """Have a category of one tag, and a VM that bears it."""
    world.put("categories", f"c-{number}", {"name": name, "cardinality": "SINGLE"})
    world.put("tags", f"t-{number}", {"name": name, "categoryId": f"c-{number}"})
    if vm:
        world.put("vms", f"uuid-{vm}", {"name": "web", "moid": vm, "tags": [f"t-{number}"]})


def test_orphans_are_what_bears_tags_of_ours_in_an_order_that_can_be_deleted(world: World) -> None:
    tagged(world, 1, f"mctl.{OWNER}.prod..2eeu.web..2e1", "vm-7")
    tagged(world, 2, "mctl.fedcba9876543210.prod.web", "vm-8")
    tagged(world, 3, f"mctl.{OWNER}.prod")
    tagged(world, 4, "backup", "vm-9")
    found = list(vsphere_account.orphans(args(), {"mctl-owner": OWNER}))
    assert [(each.kind, each.id) for each in found] == [
        ("VM", "uuid-vm-7"),
        ("tag", "t-1"),
        ("tag category", "c-1"),
    ]
    assert {(each.stack, each.machine) for each in found} == {("prod.eu", "web.1")}
    for each in found[1:]:
        each.delete()
    assert "categories/c-1" not in world.left()
    assert "tags/t-1" not in world.left()


def test_a_vm_is_found_by_its_managed_object_id(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.put("vms", "uuid-7", {"name": "old", "moid": "vm-7", "tags": [], "defaultIpAddress": "198.51.100.7"})
    monkeypatch.setattr("tests.clouds.instances.runs", lambda *_: True)
    assert vsphere_account.find(args(), "vm-7") == "198.51.100.7"
    monkeypatch.setattr("tests.clouds.instances.runs", lambda *_: False)
    assert vsphere_account.find(args(), "vm-7") == ""
    with pytest.raises(NotFoundError, match="'vm-8' does not exist"):
        vsphere_account.find(args(), "vm-8")


def findings(**options: Any) -> list[tuple[str, bool, str]]:
    return [(each.name, each.ok, each.value) for each in vsphere_account.account(args(**options))][1:]


def test_no_session_is_left_open_in_either_api(world: World) -> None:
    list(vsphere_account.account(args()))
    calls = world.calls()
    assert calls.count("POST /api/session") == calls.count("DELETE /api/session") == 1
    sessions = "POST /sdk/vim25/8.0.1.0/SessionManager/SessionManager"
    assert calls.count(f"{sessions}/Login") == calls.count(f"{sessions}/Logout") == 1


def test_doctor_says_who_one_is_where_and_what_is_there(world: World) -> None:
    wanted = args(cluster="c1", hostsystem="esx1.example.com", pool="c1/Resources", folder="team/shop")
    account, *others = vsphere_account.account(wanted)
    assert account.value == f"ops@vsphere.local at {os.environ['VSPHERE_SERVER']}"
    assert [(each.name, each.ok, each.value) for each in others] == [
        ("Datacenter", True, "dc1"),
        ("Cluster", True, "c1"),
        ("Host", True, "esx1.example.com"),
        ("Resource pool", True, "c1/Resources"),
        ("Folder", True, "team/shop"),
        ("Network", True, "VM Network"),
        ("Datastore", True, "ssd, 512000 MB free"),
        ("Permissions", True, "all there"),
    ]


def test_doctor_says_what_is_not_there_and_how_to_mend_it(world: World) -> None:
    world.set_fault("full", ["ssd"])
    wanted = args(network=("VM Network", "dmz"), cluster="c9", pool="c9/Resources/p", datacenter="dc9")
    assert [(each.value, each.mend) for each in vsphere_account.account(wanted) if not each.ok] == [
        ("there is no dc9", "choose another with --vsphere-datacenter"),
        ("there is no c9", "choose another with --vsphere-cluster"),
        ("there is no c9/Resources/p", "choose another with --vsphere-pool"),
        ("there is no dmz", "choose another with --vsphere-network"),
        ("ssd, 0 MB free", "choose another with --vsphere-datastore"),
    ]
    assert ("Datastore", False, "there is no hdd") in findings(datastore="hdd")


def test_doctor_asks_for_a_datacenter_where_there_is_not_one_alone(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(standin.DATACENTERS, "dc2", "datacenter-3")
    assert findings()[0] == ("Datacenter", False, "there are 2: dc1, dc2")
    assert findings(datacenter="dc1")[0] == ("Datacenter", True, "dc1")
    for each in ("dc1", "dc2"):
        monkeypatch.delitem(standin.DATACENTERS, each)
    assert findings()[0] == ("Datacenter", False, "there is none that one may see")
    assert sum(call.startswith("GET /sdk") for call in world.calls()) == 1, "one alone can be asked about"


def test_doctor_warns_of_privileges_that_are_missing(world: World) -> None:
    lacking = ["VirtualMachine.Config.CPUCount", "InventoryService.Tagging.CreateTag", vsphere_account.OF_LIBRARY]
    world.set_fault("denied", lacking)
    *_, found = vsphere_account.account(args())
    assert found == Finding(
        "Permissions",
        ok=False,
        value="missing: VirtualMachine.Config.CPUCount, InventoryService.Tagging.CreateTag at the vCenter",
        mend="mctl policy vsphere prints those needed",
        needed=False,
    )
    *_, found = vsphere_account.account(args(content_library="images"))
    assert found.value.endswith(", ContentLibrary.GetConfiguration at the vCenter")


def test_doctor_says_where_privileges_can_not_be_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set_fault("old", 1)
    *_, found = vsphere_account.account(args())
    assert found == Finding(
        "Permissions",
        ok=False,
        value="unknown: vCenter tells them from 8.0 U1 on",
        mend="mctl policy vsphere prints those needed",
        needed=False,
    )
    world.set_fault("old", 0)
    monkeypatch.setattr(vim, "PRIVILEGES", vim.PRIVILEGES - {"Network.Assign"})
    assert findings()[-1] == ("Permissions", False, "unknown: vCenter: InvalidArgument")
    assert world.calls()[-2].endswith("/Logout"), "and the session ended"


def test_the_policy_prints_every_privilege_that_is_asked_for() -> None:
    printed = vsphere.DRIVER.policy.splitlines()
    assert set(vsphere_account.AT_DATACENTER) | set(vsphere_account.AT_VCENTER) < set(printed)
    assert "ContentLibrary.GetConfiguration (for --vsphere-content-library)" in printed


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VSPHERE_PASSWORD", "wrong", "vCenter: Authentication required."),
        ("VSPHERE_USER", "", "missing: VSPHERE_USER"),
        ("VSPHERE_SERVER", "", "missing: VSPHERE_SERVER"),
    ],
)
def test_doctor_says_why_nobody_gets_in(
    variable: str, value: str, said: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.delenv("VSPHERE_VCENTER", raising=False)
    (found,) = vsphere_account.account(args())
    assert (found.name, found.ok, found.value) == ("Credentials", False, said)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"template": ""}, "provider vsphere needs --vsphere-template"),
        ({"datastore": ""}, "provider vsphere needs --vsphere-datastore"),
        ({"cfgparam": ("isolation.tools",)}, "--vsphere-cfgparam 'isolation.tools' is not KEY=VALUE"),
    ],
)
def test_an_option_that_is_missing_or_wrong_is_refused_first(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        vsphere.check(MachineSpec(name="web", provider="vsphere"), args(**options))
    assert error.value.message == message


def test_a_certificate_is_checked_unless_the_vendors_variable_says_not_to(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    other = tmp_path / "other.pem"
    other.write_text(Authority().cert)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(other))
    (found,) = vsphere_account.account(args())
    assert not found.ok
    assert "CERTIFICATE_VERIFY_FAILED" in found.value
    monkeypatch.setenv("VSPHERE_ALLOW_UNVERIFIED_SSL", "true")
    assert all(each.ok for each in vsphere_account.account(args()))


def test_the_guest_is_told_to_clear_what_holds_its_private_key() -> None:
    spec = MachineSpec(name="web", provider="vsphere")
    told = vsphere._guestinfo(spec, args(cfgparam=("disk.EnableUUID=TRUE",)), "#cloud-config\n")
    assert b64decode(told["guestinfo.userdata"]) == b"#cloud-config\n"
    about = json.loads(b64decode(told["guestinfo.metadata"]))
    assert about == {"instance-id": "web", "local-hostname": "web", "cleanup-guestinfo": ["userdata"]}
    assert told["disk.EnableUUID"] == "TRUE"


def test_docker_machines_name_and_options_lead_here() -> None:
    assert drivers.load("vmwarevsphere").name == "vsphere"
