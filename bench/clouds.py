"""How many round trips a machine takes at each provider, and how many machines are made side by side.

Everything is real but the cloud. Counted are calls of its API, by the driver's SDK or by the plugin for one resource,
and calls of the engine to the provider's plugin (none where the plugin is our own, which is not stood in for). Hosts
that are there (generic, none) and hypervisors of this computer have no API, and no round trips to count. That only the
chosen provider's SDK is imported is held by tests/unit/test_layers.py.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from infra.components import drivers
from tests.clouds import site
from tests.clouds.cloud import Cloud
from tests.clouds.world import EngineCall
from tests.hosts.shop import Shop

AT_ONCE = "azure", ("VirtualNetwork", "PublicIPAddress", "NetworkSecurityGroup")
LATENCY = 0.5  # seconds that a call of a plugin takes, so that those at once can be told from one after the other
MANY, MANY_AT = 10, "digitalocean"
LIMIT = 3.0  # times what one machine takes
CLOSED = ("--allow-cidr", "203.0.113.0/24")


def main(*, check: bool) -> int:
    """Print a line for each provider, and what many machines take. Ends with 1, with `check`, beyond a limit."""
    with tempfile.TemporaryDirectory(prefix="mctl-bench-") as folder, site.network():
        for part in ("worlds", "shops/many"):
            Path(folder, part).mkdir(parents=True)
        are_at_once = [_print_one(_cloud(provider), Path(folder)) for provider in drivers.names() if _has_api(provider)]
        ratio = _print_many(_cloud(MANY_AT), Path(folder))
    return int(check and (not all(are_at_once) or ratio > LIMIT))


def _has_api(provider: str) -> bool:
    driver = drivers.load(provider)
    return bool(driver.account) and not driver.is_local


def _cloud(provider: str) -> Cloud:
    cloud: Cloud = import_module(f"tests.clouds.{provider}").CLOUD
    return cloud


def _print_one(cloud: Cloud, folder: Path) -> bool:
    """Make a machine, and tell whether what can be made at once was."""
    with site.opened(cloud, folder / "worlds", folder / "shops") as (world, shop):
        world.set_fault("latency", LATENCY)
        seconds = _create(shop, cloud, "web")
        engine, api = world.engine_calls(), world.calls()
        _ran(shop, "rm", "-y", "web")
    provider, kinds = AT_ONCE
    made = [call for call in engine if call.what in {f"create {kind}" for kind in kinds}]
    together = provider != cloud.provider or _overlap(made)
    print(f"clouds: {cloud.provider:<13}{seconds:6.1f} s  API {len(api):3}  engine {len(engine):3}", end="")
    print(f"  {', '.join(kinds)} {'made together' if together else 'NOT MADE TOGETHER'}" * (provider == cloud.provider))
    return together


def _overlap(calls: Sequence[EngineCall]) -> bool:
    """Tell whether there was a time when all of them were under way."""
    return len(calls) > 1 and max(call.began for call in calls) < min(call.ended for call in calls)


def _print_many(cloud: Cloud, folder: Path) -> float:
    """Make one machine and then many, each by one `create`, and give the ratio of what they took.

    The project is not new: its first machine is not measured.
    """
    with site.opened(cloud, folder / "worlds", folder / "shops" / "many") as (world, shop):
        world.set_fault("limit", MANY)
        world.set_fault("latency", LATENCY)
        _create(shop, cloud, "first")
        _ran(shop, "rm", "-y", "first")
        one = _create(shop, cloud, "one")
        _ran(shop, "rm", "-y", "one")
        many = _create(shop, cloud, "web", "--count", str(MANY))
        assert len(world.every(cloud.instances)) == MANY
    print(f"clouds: {MANY} machines at {cloud.provider} {many:.1f} s, one {one:.1f} s", end="")
    print(f"; ratio {many / one:.2f} x, limit {LIMIT:.0f} x; a call of the plugin takes {LATENCY} s")
    return many / one


def _create(shop: Shop, cloud: Cloud, *arguments: str) -> float:
    options = (*cloud.options, *(CLOSED if drivers.load(cloud.provider).closes else ()))
    return _ran(shop, "create", *arguments, "--provider", cloud.provider, *options)


def _ran(shop: Shop, *arguments: str) -> float:
    """Run mctl and give the seconds it took."""
    began = time.perf_counter()
    done = shop.mctl(*arguments)
    assert done.code == 0, done.err
    return time.perf_counter() - began
