"""mctl beside a stand-in cloud: its real program and the real engine, with a provider's plugin and API stood in for."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from tests.clouds import instances
from tests.clouds.api import CA
from tests.clouds.cloud import Cloud
from tests.clouds.world import VARIABLE, World
from tests.container_daemon import NoContainers, daemon, docker, image
from tests.hosts.shop import REPOSITORY, Shop

NETWORKS = range(30, 230)
Site = tuple[World, Shop]


@contextmanager
def network() -> Iterator[None]:
    """Make a network for instances of all clouds, and tell this process's children. Raises NoContainers."""
    with daemon() as address, patch.dict(os.environ):
        os.environ[instances.DAEMON] = address
        os.environ[instances.IMAGE] = image(address, docker=True, cloud=True)
        os.environ[instances.NETWORK], os.environ[instances.SUBNET] = name, _ = _new_network(address)
        try:
            yield
        finally:
            _remove_network(address, name)


@contextmanager
def opened(cloud: Cloud, worlds: Path, shops: Path) -> Iterator[Site]:
    """Open a cloud, and a shop whose mctl finds its plugins and its API. Within `network`.

    worlds: the folder that all worlds of one network share. shops: where the shop's own folder is made.
    """
    world = World(worlds / f"{cloud.provider}-{len(list(worlds.iterdir()))}")
    shop = Shop(shops / cloud.provider)
    shop.folder.mkdir()
    with cloud.serve(world) as variables:
        shop.variables |= variables
        shop.variables["REQUESTS_CA_BUNDLE"] = str(world.folder / CA)
        shop.variables[VARIABLE] = str(world.folder)
        shop.variables["PATH"] = os.pathsep.join([str(_programs(cloud, shop.folder)), os.environ["PATH"]])
        yield world, shop


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
    """Make one that no other run of tests has; give its name, and the first two numbers of its addresses."""
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
