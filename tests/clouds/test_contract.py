"""What every provider must do, from the first create to the last trace, over its stand-in cloud."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from infra.components import drivers
from tests.clouds import instances
from tests.clouds.cloud import Cloud
from tests.clouds.conftest import Open
from tests.clouds.world import Facts, World
from tests.hosts.shop import Shop

CLOUDS = [
    "aws",
    "azure",
    "digitalocean",
    "exoscale",
    "gcp",
    "hyperv",
    "openstack",
    "rackspace",
    "softlayer",
    "vcd",
    "virtualbox",
    "vmwarefusion",
    "vsphere",
]


def the(world: World, cloud: Cloud) -> Facts:
    """Give the one instance that there is."""
    (found,) = world.every(cloud.instances)
    return found


def docker_answers(shop: Shop) -> bool:
    return bool(shop.docker("--context", "web", "version", "--format", "{{.Server.Version}}"))


@pytest.mark.parametrize("provider", CLOUDS)
def test_a_machine_from_create_to_rm(provider: str, open_cloud: Open) -> None:
    cloud: Cloud = import_module(f"tests.clouds.{provider.replace('-', '_')}").CLOUD
    world, shop = open_cloud(cloud)
    options = ("--provider", cloud.provider, *cloud.options)
    if drivers.load(cloud.provider).closes:
        options += ("--allow-cidr", "203.0.113.0/24")

    refused = shop.mctl("create", "web", *options, variables=cloud.no_credentials)
    assert (refused.code, refused.out) == (3, ""), refused.err
    assert world.left() == []

    if cloud.zones:
        world.set_fault("full", [cloud.zones[0]])
        options += ("--zones", ",".join(cloud.zones))
    world.set_fault("storm", 0 if cloud.is_local else 2)
    created = shop.mctl("create", "web", *options)
    assert created.code == 0, created.err
    assert world.fault("storm") == 0
    assert ("trying again in 1 s" in created.err) is not cloud.is_local
    assert docker_answers(shop)
    assert shop.mctl("preview", "web").out == "no changes\n"

    before = shop.inspect("web")
    stopped = shop.mctl("stop", "web")
    assert (stopped.code, stopped.out) == (0, 'Machine "web" was stopped.\n'), stopped.err
    assert not instances.runs(world, the(world, cloud)["id"])
    assert shop.mctl("status", "web").out == "Stopped\n"
    assert shop.mctl("preview", "web").out == "no changes\n"

    started = shop.mctl("start", "web")
    assert (started.code, started.out) == (0, 'Machine "web" was started.\n'), started.err
    after = shop.inspect("web")
    assert (after["address"] != before["address"]) is cloud.moves
    assert after["instance_id"] == before["instance_id"]
    assert docker_answers(shop)
    assert shop.mctl("ssh", "web", "true").code == 0

    killed = shop.mctl("kill", "web")
    assert (killed.code, killed.out) == (0, 'Machine "web" was killed.\n'), killed.err

    if cloud.resize:
        resized = shop.mctl("set", "web", *cloud.resize, "--yes")
        assert resized.code == 0, resized.err
        assert {key: the(world, cloud)[key] for key in cloud.resized} == cloud.resized
        assert not instances.runs(world, the(world, cloud)["id"]), "what is off stays off"

    lost = the(world, cloud)
    instances.remove(world, lost["id"])
    world.drop(cloud.instances, lost["id"])
    refreshed = shop.mctl("refresh", "web")
    assert refreshed.code == 0, refreshed.err
    mended = shop.mctl("start", "web")
    assert mended.code == 0, mended.err
    assert the(world, cloud)["id"] != lost["id"]
    assert docker_answers(shop)

    if not cloud.is_local:
        assert json.loads(shop.mctl("orphans", "--provider", cloud.provider, "--json").out) == []
    removed = shop.mctl("rm", "-y", "web")
    said = "(web) Removing the virtual machine\n" if cloud.is_local else ""
    assert removed == (0, "Successfully removed web\n", said), removed.err
    assert world.left() == []
    assert shop.left() == []
