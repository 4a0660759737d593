"""A fleet whose making is killed half-way, on light hosts: the same command ends it, and makes nothing twice."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from tests.hosts.shop import Shop
from tests.light_hosts import address, light_hosts

MACHINES = 5
SECONDS = 120


def kill_half_way(shop: Shop, run: subprocess.Popen[str]) -> None:
    """Kill every process of a run, politely with none, once the first machine is there."""
    end = time.monotonic() + SECONDS
    while not list(shop.home.glob("machines/web-*/ca.pem")):
        assert run.poll() is None, run.communicate()[0]
        assert time.monotonic() < end
        time.sleep(0.05)
    me = psutil.Process(run.pid)
    for process in [*me.children(recursive=True), me]:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    run.communicate()


def test_a_run_that_was_killed_half_way_is_ended_by_the_same_command_and_no_machine_is_made_twice(
    tmp_path: Path,
) -> None:
    with light_hosts(tmp_path / "light", seconds=0.5) as hosts:
        shop = Shop(tmp_path)
        shop.mctl("ls")  # makes its home
        with (shop.home / "Pulumi.prod.yaml").open("w") as file:
            YAML().dump({"config": {"mctl:groups": {"web": hosts.group(MACHINES, per_stack=1)}}}, file)
        kill_half_way(shop, shop.start("up", "prod"))
        whole = [folder.parent.name for folder in shop.home.glob("machines/web-*/ca.pem")]
        ran = shop.mctl("up", "prod")
        assert ran.code == 0, ran.err
        assert shop.mctl("ls", "-q").out.split() == [f"web-{number}" for number in range(1, MACHINES + 1)]
        configured = hosts.steps("configure")
        assert set(configured) == {address(number) for number in range(1, MACHINES + 1)}
        assert whole
        assert [name for name in whole if configured.count(address(int(name[4:]))) != 1] == []
        assert shop.mctl("preview", "prod").out == "no changes\n"
        assert shop.mctl("rm", "-y", "web").code == 0
        assert shop.left() == []
