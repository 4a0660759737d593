"""A Swarm in a cloud: machines that were made by the number, whose firewalls let in each other alone."""

from __future__ import annotations

import json
from operator import itemgetter

from tests.clouds import digitalocean, gcp
from tests.clouds.conftest import Open


def test_machines_made_by_the_number_form_a_swarm_and_go_without_a_trace(open_cloud: Open) -> None:
    world, shop = open_cloud(digitalocean.CLOUD)
    options = ("--provider", "digitalocean", "--allow-cidr", "203.0.113.0/24", *digitalocean.CLOUD.options)
    made = shop.mctl(
        "create", "web", "--count", "3", "--swarm", "--managers", "1", "--engine-label", "tier=web", *options
    )
    assert made.code == 0, made.err
    assert made.out == "Docker is up and running on 3 machines of web\n"

    nodes = json.loads(shop.mctl("swarm", "status", "web", "--json").out)
    facts = [(node["machine"], node["role"], node["state"], node["leader"]) for node in nodes]
    assert facts == [
        ("web-1", "manager", "ready", True),
        ("web-2", "worker", "ready", False),
        ("web-3", "worker", "ready", False),
    ]
    inspected = shop.docker("--context", "web", "node", "inspect", "web-2", "--format", '{{index .Spec.Labels "tier"}}')
    assert inspected == "web"
    listed = shop.docker("--context", "web", "node", "ls", "--format", "{{.ManagerStatus}} {{.Status}}")
    assert sorted(listed.splitlines()) == [" Ready", " Ready", "Leader Ready"]
    assert shop.mctl("preview", "web").out == "no changes\n"

    removed = shop.mctl("rm", "-y", "web")
    assert (removed.code, removed.out) == (0, "Successfully removed web\n"), removed.err
    assert world.left() == []
    assert shop.left() == []


def test_managers_are_in_different_zones_and_one_goes_elsewhere_alone_where_there_is_no_room(open_cloud: Open) -> None:
    world, shop = open_cloud(gcp.CLOUD)
    zones = [f"{gcp.REGION}-{letter}" for letter in "abf"]
    world.set_fault("full", [zones[2]])
    options = ("--provider", "gcp", "--allow-cidr", "203.0.113.0/24", "--zones", ",".join(zones))
    made = shop.mctl("create", "web", "--count", "3", "--swarm", *options)
    assert (made.code, made.out) == (0, "Docker is up and running on 3 machines of web\n"), made.err
    assert f"(web-3) zone {zones[2]} has no room: trying {zones[0]}\n" in made.err
    assert [instance["zone"] for instance in sorted(world.every("instances"), key=itemgetter("name"))] == [
        zones[0],
        zones[1],
        zones[0],
    ]
    assert {node["role"] for node in json.loads(shop.mctl("swarm", "status", "web", "--json").out)} == {"manager"}
    within = [each for each in world.every("firewalls") if "esp" in [rule["protocol"] for rule in each["allows"]]]
    assert [each["sourceRanges"] for each in within] == [["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]] * 3
    assert [each["name"] for each in world.every("firewalls") if "0.0.0.0/0" in each["sourceRanges"]] == []
    assert shop.mctl("preview", "web").out == "no changes\n"

    removed = shop.mctl("rm", "-y", "web")
    assert (removed.code, removed.out) == (0, "Successfully removed web\n"), removed.err
    assert world.left() == shop.left() == []
