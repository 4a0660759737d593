from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from infra.components.drivers import Power, azure, azure_network, read_args
from infra.components.drivers.azure import DRIVER
from infra.components.ownership import MACHINE, OWNER, STACK
from infra.errors import HostError, NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.clouds import azure as standin
from tests.clouds.api import CA
from tests.clouds.azure import CLOUD
from tests.clouds.azure_resources import GROUP, SUBSCRIPTION
from tests.clouds.world import World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with CLOUD.serve(world) as variables:
        for name, value in {**variables, "REQUESTS_CA_BUNDLE": str(world.folder / CA)}.items():
            monkeypatch.setenv(name, value)
        yield world


def args(**options: Any) -> azure.AzureArgs:
    return read_args(DRIVER, "web", options)  # type: ignore[no-any-return]


def spec(**more: Any) -> MachineSpec:
    return MachineSpec(**{"name": "web", "provider": "azure", "allow_cidrs": ("203.0.113.0/24",), **more})


def findings(**options: Any) -> list[tuple[str, bool, str]]:
    assert DRIVER.account
    return [(finding.name, finding.ok, finding.value) for finding in DRIVER.account(args(**options))]


def test_the_account_says_who_where_and_how_much_is_left(world: World) -> None:
    assert findings(zone="3") == [
        ("Account", True, f"subscription {SUBSCRIPTION}"),
        ("Region", True, "westus2"),
        ("Quota", True, "10 vCPUs left, and Standard_B2ls_v2 has 2"),
        ("Permissions", True, "all there"),
    ]
    world.set_fault("limit", 1)
    assert findings()[-2] == ("Quota", False, "1 vCPUs left, and Standard_B2ls_v2 has 2")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"location": "atlantis"}, "atlantis has no size Standard_B2ls_v2"),
        ({"size": "Standard_A2"}, "westus2 has no size Standard_A2"),
        ({"zone": "4"}, "westus2 has no size Standard_B2ls_v2 in zone 4"),
    ],
)
def test_a_size_that_is_not_to_be_had_is_named(world: World, options: dict[str, str], said: str) -> None:
    assert findings(**options)[1] == ("Region", False, said)


def test_permissions_that_no_role_grants_are_named(world: World) -> None:
    every = {"actions": ["*/read", "microsoft.compute/*", "Microsoft.Network/*", "Microsoft.Resources/*"]}
    world.set_fault("roles", [every | {"notActions": ["Microsoft.Compute/disks/delete", "*/deallocate/action"]}])
    missing = "missing: Microsoft.Compute/disks/delete, Microsoft.Compute/virtualMachines/deallocate/action"
    assert findings()[-1] == ("Permissions", False, missing)
    world.set_fault("roles", [every | {"notActions": ["*/deallocate/action"]}, {"actions": ["*/action"]}])
    assert findings()[-1] == ("Permissions", True, "all there")


def test_in_a_group_that_is_there_already_nothing_of_the_subscription_is_needed(world: World) -> None:
    world.set_fault("roles", [{"actions": ["Microsoft.Compute/virtualMachines/*", "Microsoft.Compute/disks/*"]}])
    _, _, found = findings(resource_group="shop")[-1]
    assert found.startswith("missing: Microsoft.Network/networkInterfaces/delete, ")
    assert "Microsoft.Resources" not in found
    asked = f"GET {GROUP}/shop/providers/Microsoft.Authorization/permissions"
    assert asked in world.calls()


def test_permissions_that_nobody_tells_stop_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    del world
    for route in [route for route in standin.ROUTES if "permissions" in route]:
        monkeypatch.delitem(standin.ROUTES, route)
    assert DRIVER.account
    *_, found = DRIVER.account(args())
    assert (found.ok, found.needed) == (False, False)
    assert found.value.startswith("unknown: Azure: ")


def test_credentials_that_are_wrong_or_not_for_the_plugin_are_told(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARM_CLIENT_SECRET", "another")
    assert DRIVER.account
    (finding,) = DRIVER.account(args())
    assert (finding.name, finding.ok) == ("Credentials", False)
    assert "Invalid client secret provided" in finding.value
    assert "another" not in finding.value
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "another")
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", SUBSCRIPTION)
    monkeypatch.delenv("ARM_SUBSCRIPTION_ID")
    told = ("Variables", False, "only AZURE_SUBSCRIPTION_ID is set: Pulumi's plugin reads ARM_SUBSCRIPTION_ID")
    assert findings()[0] == told
    monkeypatch.delenv("AZURE_SUBSCRIPTION_ID")
    assert findings() == [("Credentials", False, "no subscription is named")]


def test_power_of_a_vm_that_is_gone_is_not_found(world: World) -> None:
    assert DRIVER.power
    with pytest.raises(NotFoundError, match=r"Azure: .*web' was not found"):
        DRIVER.power(args(), f"{GROUP}/g/providers/Microsoft.Compute/virtualMachines/web", Power.STOP)


def test_a_vm_is_found_by_its_id_or_by_its_name_in_the_group(world: World) -> None:
    kinds = ("Compute/virtualMachines", "Network/networkInterfaces", "Network/publicIPAddresses")
    vm, card, address = (f"{GROUP}/shop/providers/Microsoft.{kind}/old" for kind in kinds)
    about = {"name": "old", "location": "westus2"}
    own: dict[str, Any] = {"name": "first", "privateIPAddress": "10.0.0.4"}
    world.put("virtualMachines", vm, {**about, "networkProfile": {"networkInterfaces": [{"id": card}]}})
    world.put("networkInterfaces", card, {**about, "ipConfigurations": [own | {"publicIPAddress": {"id": address}}]})
    world.put("publicIPAddresses", address, {**about, "ipAddress": "198.51.100.7"})
    assert DRIVER.find
    assert DRIVER.find(args(), vm) == DRIVER.find(args(resource_group="shop"), "old") == "198.51.100.7"
    spare = own | {"privateIPAddress": "10.0.0.9"}
    world.put("networkInterfaces", card, {**about, "ipConfigurations": [spare, own | {"primary": True}]})
    assert DRIVER.find(args(), vm) == "10.0.0.4"
    with pytest.raises(NotFoundError, match="was not found"):
        DRIVER.find(args(), f"{vm}er")
    with pytest.raises(UsageError, match="'old' is no VM's id at Azure"):
        DRIVER.find(args(), "old")


def test_only_what_bears_our_tag_is_an_orphan_and_a_group_with_more_in_it_stays(world: World) -> None:
    for owner, name in (("abc", "ours"), ("abcd", "theirs")):
        tags = {OWNER: owner, STACK: "prod", MACHINE: "web"}
        where, there = f"{GROUP}/{name}", f"{GROUP}/{name}/providers/Microsoft.Network"
        world.put("resourceGroups", where, {"name": name, "location": "westus2", "tags": tags})
        for kind in ("virtualNetworks", "networkInterfaces"):
            world.put(kind, f"{there}/{kind}/{name}", {"name": name, "location": "westus2", "tags": tags})
    assert DRIVER.orphans
    card, network, group = DRIVER.orphans(args(), {OWNER: "abc"})
    assert [(each.kind, each.name, each.stack, each.machine) for each in (card, network, group)] == [
        ("network interface", "ours", "prod", "web"),
        ("network", "ours", "prod", "web"),
        ("resource group", "ours", "prod", "web"),
    ]
    with pytest.raises(HostError, match="resource group ours is not empty: it has ours"):
        group.delete()
    card.delete()
    network.delete()
    group.delete()
    assert [each.rpartition("%")[2] for each in world.left()] == ["theirs"] * 3


def test_a_rule_has_sources_of_one_family_and_the_network_is_kept_out() -> None:
    both = spec(allow_cidrs=("203.0.113.0/24", "2001:db8::/32"))
    rules = list(azure_network.rules(both, args(open_port=("53/udp",))))
    assert [
        (rule.access, rule.protocol, rule.destination_port_range, rule.source_address_prefix) for rule in rules
    ] == [
        ("Allow", "Tcp", "22", "203.0.113.0/24"),
        ("Allow", "Tcp", "22", "2001:db8::/32"),
        ("Allow", "Tcp", "2376", "203.0.113.0/24"),
        ("Allow", "Tcp", "2376", "2001:db8::/32"),
        ("Allow", "Udp", "53", "0.0.0.0/0"),
        ("Allow", "Udp", "53", "::/0"),
        ("Deny", "*", "*", "VirtualNetwork"),
    ]


@pytest.mark.parametrize(
    ("size", "sku"),
    [
        ("Standard_B2ls_v2", "server"),
        ("Standard_D2ps_v5", "server-arm64"),
        ("Standard_B2pts_v2", "server-arm64"),
        ("Standard_E4-2ds_v5", "server"),
    ],
)
def test_the_image_fits_the_processor(size: str, sku: str) -> None:
    assert azure._image(args(size=size)).sku == sku


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ssh_user": "root"}, "Azure lets no user be called root"),
        ({"image": "ubuntu-24.04"}, "'ubuntu-24.04' is no image of Azure"),
        ({"no_public_ip": True}, "without a public address only the private one is left"),
    ],
)
def test_what_azure_would_refuse_late_is_refused_at_once(options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as raised:
        DRIVER.check(spec(), args(**options))
    assert (raised.value.message, raised.value.machine) == (said, "web")


def test_a_machine_without_a_public_address_may_have_its_private_one_only() -> None:
    declared = replace(spec(), private_address_only=True)
    assert DRIVER.check(declared, args(no_public_ip=True)) == declared


def test_the_policy_is_a_role_that_azure_takes() -> None:
    role = json.loads(DRIVER.policy)
    assert len(role["Actions"]) == len(set(role["Actions"]))
    assert {"Microsoft.Compute/virtualMachines/start/action", "Microsoft.Compute/skus/read"} <= set(role["Actions"])
