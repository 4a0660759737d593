"""What a crash leaves at a provider is found by its tags, and nothing else is."""

from __future__ import annotations

import json

from tests.clouds.conftest import Open
from tests.clouds.digitalocean import CLOUD
from tests.clouds.world import World
from tests.hosts.shop import Shop

ORPHANS = ("orphans", "--provider", "digitalocean")


def droplet(world: World, id: str, owner: str) -> None:  # noqa: A002 - the field's word
    tags = [f"mctl-owner:{owner}", "mctl-project:mctl", "mctl-stack:prod", "mctl-machine:web"]
    world.put("droplets", id, {"name": f"web-{id}", "tags": tags, "status": "active"})


def have_orphans(world: World, shop: Shop) -> None:
    """Have a Droplet, a firewall and a key of ours, and a Droplet and a key of someone else's."""
    assert json.loads(shop.mctl(*ORPHANS, "--json").out) == []
    owner = (shop.home / "state" / "mctl-owner").read_text()
    droplet(world, "1", owner)
    droplet(world, "2", "0123456789abcdef")
    world.put("firewalls", "f-3", {"name": f"mctl.{owner}.prod.web"})
    world.put("ssh_keys", "4", {"name": f"mctl.{owner}.prod.web"})
    world.put("ssh_keys", "5", {"name": "laptop"})


LISTED = (
    "Droplet  1  web-1  (machine web of stack prod)\n"
    "firewall  f-3  {name}  (machine web of stack prod)\n"
    "SSH key  4  {name}  (machine web of stack prod)\n"
)


def test_orphans_lists_what_bears_our_tags_and_deletes_it_once_that_is_said(open_cloud: Open) -> None:
    world, shop = open_cloud(CLOUD)
    shop.variables["PULUMI_CONFIG_PASSPHRASE"] = "for tests only"  # as any home has that has ever made a machine
    have_orphans(world, shop)
    listed = LISTED.format(name=world.every("firewalls")[0]["name"])
    ran = shop.mctl(*ORPHANS)
    assert (ran.code, ran.out) == (0, listed), ran.err
    assert "Asking digitalocean\n" in ran.err
    assert len(world.left()) == 5
    ran = shop.mctl(*ORPHANS, "--delete")
    assert (ran.code, ran.out) == (2, listed)
    assert "hint: mctl orphans --provider digitalocean --delete --yes" in ran.err
    assert len(world.left()) == 5
    ran = shop.mctl(*ORPHANS, "--delete", "--yes")
    assert (ran.code, ran.out) == (0, f"{listed}Deleted 3\n"), ran.err
    assert world.left() == ["droplets/2", "ssh_keys/5"]


def test_a_create_beyond_the_quota_is_refused_before_anything_is_made(open_cloud: Open) -> None:
    world, shop = open_cloud(CLOUD)
    world.set_fault("limit", 1)
    world.put("droplets", "9", {"name": "another", "tags": [], "status": "active"})
    refused = shop.mctl("create", "web", "--provider", "digitalocean", "--allow-cidr", "203.0.113.0/24")
    assert (refused.code, refused.out) == (3, "")
    assert "Quota: 0 of 1 Droplets left" in refused.err
    assert world.left() == ["droplets/9"]
