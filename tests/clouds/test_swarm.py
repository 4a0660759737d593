"""A Swarm in a cloud: machines that were made by the number, whose firewalls let in each other alone."""

from __future__ import annotations

import json

from tests.clouds import digitalocean
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
