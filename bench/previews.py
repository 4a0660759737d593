"""What a preview costs over Pulumi's own of the same program and state, and ten stacks over one.

Machines are light hosts (an sshd that a thousand loopback addresses share, and a recording fake of the install step):
a preview touches none. `pulumi preview` runs this project's program by the tests' stand-in of its Python language host.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from ruamel.yaml import YAML

from infra.stacks import pulumi_program
from tests.hosts.shop import Shop
from tests.light_hosts import LightHosts, light_hosts
from tests.pulumi_by_hand import ByHand

MACHINES, STACKS, ROUNDS = 25, 10, 5
BARE, MANY = 2.0, 4.0  # limits, times


def main(*, check: bool) -> int:
    """Print medians and their ratios. Ends with 1, with `check`, where one is over its limit."""
    with tempfile.TemporaryDirectory(prefix="mctl-bench-") as folder, light_hosts(Path(folder, "light")) as hosts:
        shop = Shop(Path(folder))
        shop.mctl("ls")  # makes its home
        _make(shop, hosts, "large", range(1, MACHINES + 1))
        stacks = [f"s{number}" for number in range(STACKS)]
        for number, stack in enumerate(stacks, MACHINES + 1):
            _make(shop, hosts, stack, range(number, number + 1))
        pulumi = ByHand(shop, pulumi_program.look().path.resolve())
        bare, ours = _in_turns(
            lambda: pulumi("preview", "--expect-no-changes", "--stack", "large"), lambda: _unchanged(shop, "large")
        )
        one, many = _in_turns(lambda: _unchanged(shop, stacks[0]), lambda: _unchanged(shop, *stacks))
    print(f"preview of {MACHINES} machines in a stack, nothing changed: {ours:.2f} s; pulumi preview {bare:.2f} s")
    print(f"  ratio {ours / bare:.2f} x, limit {BARE} x; medians of {ROUNDS} in turns")
    print(f"preview of {STACKS} stacks: {many:.2f} s; of one {one:.2f} s; ratio {many / one:.2f} x, limit {MANY} x")
    return int(check and (ours > BARE * bare or many > MANY * one))


def _make(shop: Shop, hosts: LightHosts, stack: str, numbers: range) -> None:
    group = hosts.group(numbers[-1])
    shared = {key: group[key] for key in ("provider", "ssh_host_key")}
    machines = {
        f"{stack}-{number}": shared | {"options": group["options"] | group["machines"][f"web-{number}"]["options"]}
        for number in numbers
    }
    with (shop.home / f"Pulumi.{stack}.yaml").open("w") as file:
        YAML().dump({"config": {"mctl:machines": machines}}, file)
    made = shop.mctl("up", stack)
    assert made.code == 0, made.err


def _unchanged(shop: Shop, *stacks: str) -> None:
    said = shop.mctl("preview", "--exit-code", *stacks)
    assert said.code == 0, said.out + said.err


def _in_turns(*runs: Callable[[], object]) -> list[float]:
    """Give each one's median seconds; whatever else the computer does hits all alike."""
    times: list[list[float]] = [[] for _ in runs]
    for _ in range(ROUNDS):
        for run, took in zip(runs, times, strict=True):
            began = time.perf_counter()
            run()
            took.append(time.perf_counter() - began)
    return [statistics.median(took) for took in times]
