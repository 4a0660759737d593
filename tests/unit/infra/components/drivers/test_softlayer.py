from __future__ import annotations

import os
from typing import Any

import pytest

from infra.components.drivers import read_args, softlayer
from infra.components.drivers.softlayer import DRIVER
from infra.components.ownership import OWNER
from infra.errors import NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.clouds.world import World
from tests.unit.infra.plugins.softlayer.conftest import power, world

__all__ = ["power", "world"]


def args(**options: Any) -> softlayer.SoftLayerArgs:
    where = {"api_endpoint": os.environ["SOFTLAYER_API_ENDPOINT"]} if "SOFTLAYER_API_ENDPOINT" in os.environ else {}
    return read_args(DRIVER, "web", {**where, **options})  # type: ignore[no-any-return]


def findings(**options: Any) -> list[tuple[str, bool, str]]:
    assert DRIVER.account
    return [(finding.name, finding.ok, finding.value) for finding in DRIVER.account(args(**options))]


def test_the_account_says_who_and_where(world: World) -> None:
    assert findings() == [
        ("Account", True, "ops, ops@example.com"),
        ("Permissions", True, "all that are needed"),
        ("Data centre", True, "dal10"),
    ]


def test_a_missing_permission_and_an_unknown_data_centre_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(softlayer, "PERMISSIONS", (*softlayer.PERMISSIONS, "ROOT_OF_ALL"))
    assert findings(zone="atlantis")[1:] == [
        ("Permissions", False, "missing: ROOT_OF_ALL"),
        ("Data centre", False, "there is no atlantis"),
    ]


def test_credentials_that_are_missing_or_wrong_are_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL_API_KEY", "not-the-key")
    assert findings() == [("Credentials", False, "SoftLayer: error 401: Invalid API token.")]
    monkeypatch.delenv("SL_API_KEY")
    assert findings() == [("Credentials", False, "no user and API key")]


def test_only_what_bears_our_tag_is_an_orphan_and_goes_when_deleted(world: World, power: dict[str, bool]) -> None:
    ours = "mctl-owner:abc mctl-project:mctl mctl-stack:prod mctl-machine:web"
    theirs = ours.replace("abc", "abcd")
    shape = {"domain": "d", "maxCpu": 1, "maxMemory": 1, "address": "", "datacenter": {"name": "dal10"}, "sshKeys": []}
    for number, text in (("1", ours), ("2", theirs), ("3", "mctl-owner:abc")):
        world.put("guests", number, {**shape, "hostname": "web", "tags": text.split()})
        world.put("groups", f"1{number}", {"name": "mctl-web", "description": text, "rules": []})
        world.put("keys", f"2{number}", {"label": "mctl-web", "key": "k", "notes": text})
    world.put("groups", "14", {"name": "allow_ssh", "rules": []})
    assert DRIVER.orphans
    found = list(DRIVER.orphans(args(), {OWNER: "abc"}))
    assert [(each.kind, each.id, each.name, each.stack, each.machine) for each in found] == [
        ("virtual server", "1", "web", "prod", "web"),
        ("security group", "11", "mctl-web", "prod", "web"),
        ("SSH key", "21", "mctl-web", "prod", "web"),
    ]
    for each in found:
        each.delete()
    assert world.left() == ["groups/12", "groups/13", "groups/14", "guests/2", "guests/3", "keys/22", "keys/23"]


def test_an_instance_is_found_by_its_id(world: World) -> None:
    shape = {"domain": "d", "maxCpu": 1, "maxMemory": 1, "datacenter": {"name": "dal10"}, "sshKeys": [], "tags": []}
    world.put("guests", "7", {**shape, "hostname": "old", "address": "192.0.2.9"})
    assert DRIVER.find
    assert DRIVER.find(args(), "7") == "192.0.2.9"
    with pytest.raises(NotFoundError) as raised:
        DRIVER.find(args(), "8")
    assert raised.value.message == "SoftLayer: error 404: Unable to find object with id of '8'."


def test_the_group_lets_out_everything_and_in_who_may() -> None:
    spec = MachineSpec(name="web", provider="softlayer", allow_cidrs=("203.0.113.0/24", "2001:db8::/32"))
    rules = list(softlayer._rules(spec, args(open_port=("443",))))
    assert rules[:2] == [{"direction": "egress", "ethertype": kind} for kind in ("IPv4", "IPv6")]
    let_in = [(rule["portRangeMin"], rule["ethertype"], rule.get("remoteIp", "anyone")) for rule in rules[2:]]
    assert let_in == [
        (22, "IPv4", "203.0.113.0/24"),
        (22, "IPv6", "2001:db8::/32"),
        (2376, "IPv4", "203.0.113.0/24"),
        (2376, "IPv6", "2001:db8::/32"),
        (443, "IPv4", "anyone"),
        (443, "IPv6", "anyone"),
    ]
    with pytest.raises(UsageError, match="neither PORT nor PORT/udp"):
        list(softlayer._rules(spec, args(open_port=("ssh",))))


def test_every_permission_of_the_policy_is_looked_for() -> None:
    assert set(DRIVER.policy.splitlines()[1:]) == set(softlayer.PERMISSIONS)
