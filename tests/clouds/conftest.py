"""Stand-in clouds for tests: mctl's real program and the real engine, with a provider's plugin and API stood in for."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clouds import instances
from tests.clouds.api import CA
from tests.clouds.cloud import Cloud
from tests.clouds.world import VARIABLE, World
from tests.container_daemon import NoContainers, daemon, docker, image
from tests.hosts.shop import REPOSITORY, Shop

NETWORKS = range(30, 230)


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A network for instances of all clouds, told to this process's children; gives the worlds' folder."""
    try:
        with daemon() as address, pytest.MonkeyPatch.context() as environment:
            environment.setenv(instances.DAEMON, address)
            environment.setenv(instances.IMAGE, image(address, docker=True, cloud=True))
            name, subnet = _new_network(address)
            environment.setenv(instances.NETWORK, name)
            environment.setenv(instances.SUBNET, subnet)
            try:
                yield tmp_path_factory.mktemp("clouds")
            finally:
                _remove_network(address, name)
    except NoContainers as reason:
        pytest.skip(str(reason))


Site = tuple[World, Shop]
Open = Callable[[Cloud], Site]


@pytest.fixture
def open_cloud(network: Path, tmp_path: Path) -> Iterator[Open]:
    """Open a cloud, and a shop whose mctl finds its plugins and its API."""
    with ExitStack() as stack:

        def open_it(cloud: Cloud) -> Site:
            world = World(network / f"{cloud.provider}-{len(list(network.iterdir()))}")
            shop = Shop(tmp_path / cloud.provider)
            shop.folder.mkdir()
            shop.variables |= stack.enter_context(cloud.serve(world))
            shop.variables["REQUESTS_CA_BUNDLE"] = str(world.folder / CA)
            shop.variables[VARIABLE] = str(world.folder)
            shop.variables["PATH"] = os.pathsep.join([str(_programs(cloud, shop.folder)), os.environ["PATH"]])
            return world, shop

        yield open_it


def _programs(cloud: Cloud, folder: Path) -> Path:
    """Put what starts the stand-in plugins and programs on PATH, where the engine and drivers look for them."""
    programs = folder / "programs"
    programs.mkdir()
    starts = {f"pulumi-resource-{name}": f"tests.clouds.serve {module}" for name, module in cloud.plugins.items()}
    starts |= {name: f"tests.clouds.programs.{module}" for name, module in cloud.programs.items()}
    for name, module in starts.items():
        program = programs / name
        start = f'exec "{sys.executable}" -m {module} "$@"'
        program.write_text(f'#!/bin/sh\nexport PYTHONPATH="{REPOSITORY}"; {start}\n')
        program.chmod(0o755)
    return programs


def _new_network(address: str) -> tuple[str, str]:
    """Make one that no other run of tests has."""
    for number in random.sample(NETWORKS, 20):
        name, subnet = f"mctl-cloud-{number}", f"10.{number}"
        try:
            docker(address, "network", "create", "--subnet", f"{subnet}.0.0/16", "--label", "mctl-test-cloud", name)
        except RuntimeError:
            continue
        return name, subnet
    raise NoContainers("no network of 10.0.0.0/8 is free for instances")


def _remove_network(address: str, name: str) -> None:
    left = docker(address, "ps", "--all", "--quiet", "--filter", f"network={name}", check=False).split()
    if left:
        docker(address, "rm", "--force", "--volumes", *left, check=False)
    docker(address, "network", "rm", name, check=False)
