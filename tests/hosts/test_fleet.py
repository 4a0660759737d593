"""A group of machines that is spread over stacks, on real hosts: brought up, scaled, half failing, removed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.shop import Shop

Pair = tuple[ContainerHost, ContainerHost]
RIGHT, WRONG = "/usr/sbin/dockerd.kept", "/usr/sbin/dockerd"


@pytest.fixture(scope="module")
def pair(hosts: ContainerHosts) -> Iterator[Pair]:
    """Start two hosts that have Docker."""
    first, second = hosts.start(docker_installed=True), hosts.start(docker_installed=True)
    yield first, second
    hosts.remove(first)
    hosts.remove(second)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, pair: Pair) -> Shop:
    """Have a group of two declared, each of which gets a stack."""
    shop = Shop(tmp_path_factory.mktemp("fleet"))
    shop.mctl("ls")  # makes its home
    group = {
        "count": 2,
        "per_stack": 1,
        "provider": "generic",
        "options": {"ssh_user": "root", "ssh_key": str(pair[0].private_key)},
        "engine": {"labels": ["tier=web"]},
        "machines": {
            f"web-{number}": {"options": {"ip_address": host.address}, "ssh_host_key": host.host_key}
            for number, host in enumerate(pair, 1)
        },
    }
    declare(shop, {"mctl:groups": {"web": group}})
    return shop


def declare(shop: Shop, config: dict[str, Any]) -> None:
    with (shop.home / "Pulumi.prod.yaml").open("w") as file:
        YAML().dump({"config": config}, file)


def test_a_declared_group_becomes_machines_and_what_failed_is_finished_by_the_same_command(
    shop: Shop, pair: Pair
) -> None:
    pair[1].exec(f"mv {WRONG} {RIGHT}")
    pair[1].write(WRONG, "#!/bin/sh\nexit 1\n")
    pair[1].exec(f"chmod 755 {WRONG}")
    failed = shop.mctl("up", "prod")
    assert (failed.code, failed.out) == (1, f"web-1 tcp://{pair[0].address}:2376\n")
    assert "(web-1) ready, 1 of 2\n" in failed.err
    assert failed.err.splitlines()[-2] == 'Error: stack prod_2: machine "web-2": there is no Docker Engine on the host'
    assert shop.mctl("ls", "-q").out == "web-1\n"
    pair[1].exec(f"mv {RIGHT} {WRONG}")
    ran = shop.mctl("up", "prod")
    assert (ran.code, ran.out) == (0, "".join(f"web-{n} tcp://{pair[n - 1].address}:2376\n" for n in (1, 2)))
    assert [shop.inspect(f"web-{n}")["stack"] for n in (1, 2)] == ["prod", "prod_2"]
    assert shop.docker("--context", "web-2", "info", "--format", "{{.Labels}}") == "[tier=web provider=generic]"


def test_a_part_by_hand_means_what_the_whole_does(shop: Shop) -> None:
    assert shop.mctl("preview", "prod_2").out == "no changes\n"
    assert shop.mctl("preview", "prod").out == "no changes\n"


def test_scale_touches_the_new_and_the_leaving_stack_alone(shop: Shop) -> None:
    before = shop.inspect("web-1")["state_time"]
    assert shop.mctl("scale", "web", "1").code == 2, "nobody answered"
    assert shop.mctl("ls", "-q").out == "web-1\nweb-2\n"
    ran = shop.mctl("scale", "-y", "web", "1")
    assert (ran.code, ran.out) == (0, "web has 1 machine\n")
    assert shop.mctl("ls", "-q").out == "web-1\n"
    assert not (shop.home / "Pulumi.prod_2.yaml").exists()
    ran = shop.mctl("scale", "web", "2")
    assert (ran.code, ran.out) == (0, "web has 2 machines\n")
    assert shop.mctl("ls", "-q").out == "web-1\nweb-2\n"
    assert shop.inspect("web-1")["state_time"] == before
    assert shop.docker("--context", "web-2", "version", "--format", "{{.Server.Version}}")


def test_a_machine_that_was_removed_stays_left_out_and_a_group_goes_without_a_trace(shop: Shop) -> None:
    assert shop.mctl("rm", "-y", "web-1") == (0, "Successfully removed web-1\n", "")
    assert shop.mctl("up", "prod").out.startswith("web-2 tcp://")
    assert shop.mctl("ls", "-q").out == "web-2\n"
    ran = shop.mctl("rm", "-y", "web")
    assert (ran.code, ran.out) == (0, "Successfully removed web\n")
    assert shop.left() == []
