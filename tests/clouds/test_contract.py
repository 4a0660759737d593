"""What every provider must do, from the first create to the last trace: over its stand-in, or a real account."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from unittest.mock import patch

import pytest

from infra.components import drivers
from tests.clouds import digitalocean, side
from tests.clouds.cloud import Cloud
from tests.clouds.conftest import Open
from tests.clouds.side import Side, StandInSide
from tests.clouds.test_orphans import droplet
from tests.hosts.shop import Shop

ON_REAL_HOSTS = ("generic", "none", "qemu")  # tests/hosts has them
CLOUDS = [name for name in drivers.names() if name not in ON_REAL_HOSTS]


def cloud_of(provider: str) -> Cloud:
    cloud: Cloud = import_module(f"tests.clouds.{provider}").CLOUD
    return cloud


def docker_answers(shop: Shop) -> bool:
    return bool(shop.docker("--context", "web", "version", "--format", "{{.Server.Version}}"))


@pytest.mark.parametrize("provider", CLOUDS)
def test_a_machine_from_create_to_rm(provider: str, open_cloud: Open) -> None:
    cloud = cloud_of(provider)
    world, shop = open_cloud(cloud)
    options = ("--provider", cloud.provider, *cloud.options)
    if drivers.load(cloud.provider).closes:
        options += ("--allow-cidr", "203.0.113.0/24")

    refused = shop.mctl("create", "web", *options, variables=cloud.no_credentials)
    assert (refused.code, refused.out) == (3, ""), refused.err
    assert world.left() == []

    if cloud.zones:
        world.set_fault("full", [cloud.zones[0]])
        options += ("--zones", ",".join(cloud.zones), *cloud.spot)
    world.set_fault("storm", 0 if cloud.is_local else 2)
    created = shop.mctl("create", "web", *options)
    assert created.code == 0, created.err
    assert ("there is no spare capacity: the full price is paid" in created.err) is bool(cloud.spot)
    assert world.fault("storm") == 0
    assert ("trying again in " in created.err) is not cloud.is_local
    live(cloud, StandInSide(cloud, world), shop)


@pytest.mark.parametrize("provider", side.real())
def test_a_machine_from_create_to_rm_at_a_real_account(provider: str, tmp_path: Path) -> None:
    cloud = cloud_of(provider)
    with side.real_account(cloud.provider, tmp_path / provider) as (account, shop):
        created = shop.mctl("create", "web", "--provider", cloud.provider)
        assert created.code == 0, created.err
        live(cloud, account, shop)


def live(cloud: Cloud, at: Side, shop: Shop) -> None:
    """Put a machine that was just made through all that may befall it, and remove it."""
    assert docker_answers(shop)
    assert shop.mctl("preview", "web").out == "no changes\n"
    before = shop.inspect("web")
    stopped = shop.mctl("stop", "web")
    assert (stopped.code, stopped.out) == (0, 'Machine "web" was stopped.\n'), stopped.err
    assert at.is_off(before["address"])
    assert shop.mctl("status", "web").out == "Stopped\n"
    assert shop.mctl("preview", "web").out == "no changes\n"

    started = shop.mctl("start", "web")
    assert (started.code, started.out) == (0, 'Machine "web" was started.\n'), started.err
    after = shop.inspect("web")
    assert at.moved(before["address"], after["address"])
    assert after["instance_id"] == before["instance_id"]
    assert docker_answers(shop)
    assert shop.mctl("ssh", "web", "true").code == 0

    killed = shop.mctl("kill", "web")
    assert (killed.code, killed.out) == (0, 'Machine "web" was killed.\n'), killed.err
    if cloud.resize:
        resized = shop.mctl("set", "web", *cloud.resize, "--yes")
        assert resized.code == 0, resized.err
        assert at.shows(cloud.resized)
        assert at.is_off(after["address"]), "what is off stays off"

    lost = at.instance
    at.lose()
    refreshed = shop.mctl("refresh", "web")
    assert refreshed.code == 0, refreshed.err
    mended = shop.mctl("start", "web")
    assert mended.code == 0, mended.err
    assert at.instance != lost
    assert docker_answers(shop)

    made = at.instance
    renamed = shop.mctl("rename", "web", "blue")
    assert (renamed.code, renamed.out) == (0, 'Machine "web" is now "blue".\n'), renamed.err
    assert at.instance == made
    assert shop.mctl("preview", "blue").out == "no changes\n"

    if not cloud.is_local:
        assert json.loads(shop.mctl("orphans", "--provider", cloud.provider, "--json").out) == []
    removed = shop.mctl("rm", "-y", "blue")
    said = "(blue) Removing the virtual machine\n" if cloud.is_local else ""
    assert removed == (0, "Successfully removed blue\n", said), removed.err
    assert at.left() == []
    assert shop.left() == []


def test_a_real_account_is_cleaned_of_what_bears_its_owners_tag_alone(open_cloud: Open, tmp_path: Path) -> None:
    world, shop = open_cloud(digitalocean.CLOUD)
    droplet(world, "2", "0123456789abcdef")
    world.put("ssh_keys", "5", {"name": "laptop"})
    as_used = {"PULUMI_CONFIG_PASSPHRASE": "for tests only"}  # any home has one that has ever made a machine
    with patch.dict(os.environ, shop.variables | as_used):
        with side.real_account("digitalocean", tmp_path / "real") as (account, own):
            owner = (own.home / "state" / "mctl-owner").read_text()
            assert account.left() == []
            droplet(world, "1", owner)
            droplet(world, "3", owner)
            world.put("ssh_keys", "4", {"name": f"mctl.{owner}.prod.web"})
            account.lose()
            assert account.left() == ["Droplet/3", "SSH key/4"]
            assert json.loads(own.mctl("orphans", "--provider", "digitalocean", "--json").out)[0]["id"] == "3"
        assert world.left() == ["droplets/2", "ssh_keys/5"]
        droplet(world, "6", owner)  # as if a run had been killed
        with side.real_account("digitalocean", tmp_path / "next"):
            assert world.left() == ["droplets/2", "ssh_keys/5"]
