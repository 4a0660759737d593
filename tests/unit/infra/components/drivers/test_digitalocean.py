"""DigitalOcean's driver beside its `up`: who one is, what is left behind, and what is there already."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.components import ownership
from infra.components.drivers import digitalocean_api
from infra.components.drivers.digitalocean import DRIVER, DigitalOceanArgs
from infra.errors import NotFoundError
from tests.clouds import digitalocean as standin
from tests.clouds.api import CA
from tests.clouds.world import World

OURS = ownership.tags("0123456789abcdef", "shop", "prod.eu", "web.1")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with standin.CLOUD.serve(world) as variables:
        for name, value in {**variables, "REQUESTS_CA_BUNDLE": str(world.folder / CA)}.items():
            monkeypatch.setenv(name, value)
        yield world


def findings(**options: Any) -> list[tuple[str, bool, str]]:
    return [(each.name, each.ok, each.value) for each in digitalocean_api.account(DigitalOceanArgs(**options))]


def test_the_account_says_who_where_and_what_is_left(world: World) -> None:
    world.put("droplets", "1", {"name": "another", "tags": []})
    assert findings() == [
        ("Account", True, "ops@example.com, active"),
        ("Region", True, "nyc3"),
        ("Quota", True, "9 of 10 Droplets left"),
        ("Permissions", True, "all there"),
    ]
    assert ("Region", False, "ams3 has no size s-1vcpu-2gb") in findings(region="ams3")


def test_scopes_that_the_token_lacks_are_named_and_stop_nothing(world: World) -> None:
    world.set_fault("scopes", sorted({*digitalocean_api.SCOPES} - {"droplet:create", "tag:create"}))
    *_, found = digitalocean_api.account(DigitalOceanArgs())
    assert (found.ok, found.value, found.needed) == (False, "missing: droplet:create, tag:create", False)
    world.set_fault("scopes", ["read"])
    *_, found = digitalocean_api.account(DigitalOceanArgs())
    assert found.value.startswith("missing: droplet:create, droplet:update, droplet:delete, firewall:create")
    assert ":read" not in found.value


def test_scopes_that_nobody_tells_are_unknown(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(standin.ROUTES, r"GET /v1/oauth/token/info")
    *_, found = digitalocean_api.account(DigitalOceanArgs())
    assert (found.name, found.ok, found.needed) == ("Permissions", False, False)
    assert found.value.startswith("unknown: DigitalOcean: ")


def test_orphans_of_a_stack_with_a_dot_are_that_stacks(world: World) -> None:
    world.put("droplets", "1", {"name": "web", "tags": digitalocean_api.tags(OURS), "status": "active"})
    name = ownership.name(OURS)
    world.put("firewalls", "f-2", {"name": name})
    world.put("ssh_keys", "3", {"name": name})
    assert DRIVER.orphans
    found = list(DRIVER.orphans(DigitalOceanArgs(), {ownership.OWNER: OURS[ownership.OWNER]}))
    assert [(each.kind, each.stack, each.machine) for each in found] == [
        ("Droplet", "prod.eu", "web.1"),
        ("firewall", "prod.eu", "web.1"),
        ("SSH key", "prod.eu", "web.1"),
    ]


def test_orphans_of_later_pages_are_listed_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digitalocean_api, "PAGE", 2)
    for number in range(5):
        world.put("ssh_keys", str(number), {"name": ownership.name(OURS)})
    found = digitalocean_api.orphans(DigitalOceanArgs(), {ownership.OWNER: OURS[ownership.OWNER]})
    assert {each.id for each in found} == {"0", "1", "2", "3", "4"}


def test_what_bears_another_owners_tag_or_name_is_no_orphan_of_ours(world: World) -> None:
    theirs = OURS | {ownership.OWNER: "fedcba9876543210"}
    world.put("droplets", "1", {"name": "web", "tags": digitalocean_api.tags(theirs), "status": "active"})
    world.put("droplets", "2", {"name": "web", "tags": [f"mctl-owner:{OURS['mctl-owner']}"], "status": "active"})
    world.put("ssh_keys", "3", {"name": ownership.name(theirs)})
    world.put("ssh_keys", "4", {"name": "laptop"})
    assert list(digitalocean_api.orphans(DigitalOceanArgs(), {ownership.OWNER: OURS[ownership.OWNER]})) == []


@pytest.mark.parametrize("unknown", ["8", "web-1"])
def test_a_droplet_that_is_not_there_is_not_found(world: World, unknown: str) -> None:
    with pytest.raises(NotFoundError):
        digitalocean_api.find(DigitalOceanArgs(), unknown)
