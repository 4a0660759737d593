"""Exoscale's driver beside its `up`: who one is, what is left behind, and what it needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.components.drivers import exoscale_api
from infra.components.drivers.exoscale import ExoscaleArgs
from infra.components.ownership import name as name_of
from infra.components.ownership import tags
from infra.errors import NotFoundError
from tests.clouds import exoscale as standin
from tests.clouds.api import CA
from tests.clouds.world import World

OURS = tags("0123456789abcdef", "shop", "prod.eu", "web.1")
THEIRS = tags("fedcba9876543210", "shop", "prod", "web.1")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with standin.CLOUD.serve(world) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.folder / CA))
        yield world


def test_docker_machines_spellings_of_zone_and_type_are_known(world: World) -> None:
    args = ExoscaleArgs(zone="CH-DK-2", instance_profile="Small")
    world.put("instances", "instance-1", {"name": "another", "zone": "ch-dk-2"})
    assert [(each.name, each.ok, each.value) for each in exoscale_api.account(args)] == [
        ("Account", True, "Example"),
        ("Zone", True, "ch-dk-2"),
        ("Type", True, "standard.small"),
        ("Quota", True, "9 of 10 instances left"),
    ]


def test_what_is_missing_is_named_with_what_mends_it(world: World) -> None:
    world.set_fault("limit", 1)
    world.put("instances", "instance-1", {"name": "another", "zone": "ch-dk-2"})
    args = ExoscaleArgs(zone="ch-gva-9", instance_profile="gpu.huge")
    assert [(each.name, each.value, each.mend) for each in exoscale_api.account(args) if not each.ok] == [
        ("Zone", "there is no ch-gva-9", "choose one of ch-dk-2, de-fra-1 with --exoscale-zone"),
        (
            "Type",
            "there is no gpu.huge",
            "choose one of standard.medium, standard.small with --exoscale-instance-profile",
        ),
        ("Quota", "0 of 1 instances left", "ask for more"),
    ]


def test_without_a_key_nothing_is_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EXOSCALE_API_KEY")
    (found,) = exoscale_api.account(ExoscaleArgs())
    assert (found.name, found.ok, found.value) == ("Credentials", False, "no API key")
    assert world.calls() == []


def test_orphans_of_every_zone_are_ours_and_no_pools(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.clouds.instances.remove", lambda *_: None)
    for number, (zone, whose) in enumerate((("ch-dk-2", OURS), ("de-fra-1", OURS), ("de-fra-1", THEIRS)), start=1):
        world.put("instances", f"instance-{number}", {"name": "web.1", "zone": zone, "labels": whose})
    pooled = {"name": "pool-1", "zone": "ch-dk-2", "labels": OURS, "manager": {"id": "pool", "type": "instance-pool"}}
    world.put("instances", "instance-4", pooled)
    name = name_of(OURS)
    world.put("security_groups", "group-1", {"name": name})
    world.put("security_groups", "group-2", {"name": "default"})
    world.put("ssh_keys", name, {"name": name})
    world.put("ssh_keys", name_of(THEIRS), {"name": name_of(THEIRS)})
    found = list(exoscale_api.orphans(ExoscaleArgs(), {"mctl-owner": OURS["mctl-owner"]}))
    assert [(each.kind, each.id, each.stack, each.machine) for each in found] == [
        ("instance", "instance-1", "prod.eu", "web.1"),
        ("instance", "instance-2", "prod.eu", "web.1"),
        ("security group", "group-1", "prod.eu", "web.1"),
        ("SSH key", name, "prod.eu", "web.1"),
    ]
    for orphan in found:
        orphan.delete()
    assert world.left() == [
        *("instances/instance-3", "instances/instance-4"),
        *("security_groups/group-2", f"ssh_keys/{name_of(THEIRS)}"),
    ]


def test_an_instance_is_found_by_its_id_in_the_zone(world: World) -> None:
    world.put("instances", "old", {"name": "web", "zone": "ch-dk-2", "publicIpAddress": "198.51.100.7"})
    world.put("instances", "closed", {"name": "web", "zone": "ch-dk-2"})
    assert exoscale_api.find(ExoscaleArgs(), "old") == "198.51.100.7"
    assert exoscale_api.find(ExoscaleArgs(), "closed") == ""
    with pytest.raises(NotFoundError) as error:
        exoscale_api.find(ExoscaleArgs(), "new")
    assert error.value.message == "Exoscale has no instance new in ch-dk-2"


def test_the_policy_is_a_role_that_may_do_nothing_else() -> None:
    policy = json.loads(exoscale_api.POLICY)
    assert policy["default-service-strategy"] == "deny"
    (rule,) = policy["services"]["compute"]["rules"]
    assert rule["expression"].startswith("operation in ['list-zones', ")
