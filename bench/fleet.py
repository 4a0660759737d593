"""What a fleet costs: a hundred and a thousand machines by one command, `ls` of them, and ten more.

Hosts are light: one sshd at a thousand loopback addresses, and a recording fake of the install step, so that what is
measured is mctl's own and the Pulumi engine's work. Time and cost (seconds of processor) are given per machine; of
other things that run on the same computer the cost is nearly free. MCTL_BENCH_MACHINES=20,200 measures other sizes.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil
from ruamel.yaml import YAML

from tests.cli_runner import PROGRAM
from tests.hosts.shop import Shop
from tests.light_hosts import LightHosts, address, light_hosts

SIZES = tuple(map(int, os.environ.get("MCTL_BENCH_MACHINES", "100,1000").split(",")))
MORE = 10
FLAT, LS_SECONDS, MEMORY, SCALE = 1.3, 2.0, 4 << 30, 2.0
SAMPLE_SECONDS = 1.0


class Cost(NamedTuple):
    """What a command took. seconds: by the clock; processor: of all its processes; memory: bytes at the peak."""

    seconds: float
    processor: float
    memory: int


def main(*, check: bool) -> int:
    """Print what each size costs. Ends with 1, with `check`, where a limit is passed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a port for each daemon
    costs = []
    try:
        with tempfile.TemporaryDirectory(prefix="mctl-bench-") as folder:
            ten, _, _ = _fleet(Path(folder, "ten"), MORE)
            for size in SIZES:
                cost, listed, scaled = _fleet(Path(folder, str(size)), size)
                costs.append(cost)
                _print(size, cost)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    few, many = costs[0], costs[-1]
    flat = many.seconds / SIZES[-1] / (few.seconds / SIZES[0]), many.processor / SIZES[-1] / (few.processor / SIZES[0])
    print(f"  from {SIZES[0]} to {SIZES[-1]} per machine: time {flat[0]:.2f} x, cost {flat[1]:.2f} x, limit {FLAT} x")
    print(f"  ls of {SIZES[-1]} {listed:.2f} s, limit {LS_SECONDS:.0f} s")
    print(f"  scale to {SIZES[-1] + MORE} {scaled.seconds:.1f} s; {MORE} alone {ten.seconds:.1f} s, limit {SCALE} x")
    over = max(flat) > FLAT or listed > LS_SECONDS or many.memory > MEMORY
    return int(check and (over or scaled.seconds > SCALE * ten.seconds))


def _print(size: int, cost: Cost) -> None:
    each = f"{cost.seconds / size:.2f} s, {cost.processor / size:.2f} s of processor"
    print(
        f"fleet: {size} machines {cost.seconds:.0f} s; each {each}; memory at most {cost.memory >> 20} MiB", flush=True
    )


def _fleet(folder: Path, size: int) -> tuple[Cost, float, Cost]:
    """Make so many machines, ask them all, and make ten more; give the first cost, the seconds and the last cost."""
    with light_hosts(folder / "light") as hosts:
        shop = Shop(folder)
        shop.mctl("ls")  # makes its home
        with (shop.home / "Pulumi.prod.yaml").open("w") as file:
            group = hosts.group(size + MORE) | {"count": size}
            YAML().dump({"config": {"mctl:groups": {"web": group}}}, file)
        made = _run(shop, "up", "prod")
        with _daemons(hosts, folder, size):
            began = time.perf_counter()
            listed = shop.mctl("ls")
            seconds = time.perf_counter() - began
        assert listed.out.count("Running   tcp://127.1.") == size, listed.out[-2000:]
        before = len(hosts.steps("configure"))
        scaled = _run(shop, "scale", "web", str(size + MORE))
        assert len(hosts.steps("configure")) - before == MORE
        return made, seconds, scaled


def _run(shop: Shop, *arguments: str) -> Cost:
    """Run mctl, and watch the memory of all its processes."""
    before, began = _processor(), time.perf_counter()
    with (shop.folder / "said").open("w") as said:
        run = subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=shop.folder,
            env=shop.variables,
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
        )
    peaks, ended = [0], threading.Event()
    watch = threading.Thread(target=_watch, args=(run.pid, peaks, ended))
    watch.start()
    code = run.wait()
    seconds = time.perf_counter() - began
    ended.set()
    watch.join()
    assert code == 0, (shop.folder / "said").read_text()[-3000:]
    return Cost(seconds, _processor() - before, max(peaks))


def _watch(pid: int, peaks: list[int], ended: threading.Event) -> None:
    while not ended.wait(SAMPLE_SECONDS):
        peaks.append(sum(_memory(process) for process in _family(pid)))


def _family(pid: int) -> list[psutil.Process]:
    try:
        found = psutil.Process(pid)
        return [found, *found.children(recursive=True)]
    except psutil.Error:
        return []


def _memory(process: psutil.Process) -> int:
    """Give its share of memory: what forked processes have in common is counted once."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextmanager
def _daemons(hosts: LightHosts, folder: Path, size: int) -> Iterator[None]:
    """Serve a daemon at each host's address, with the certificates that it was given."""
    places = {
        f"{address(number)}:{hosts.engine_port}": str(hosts.certificates(number, folder / "daemons" / str(number)))
        for number in range(1, size + 1)
    }
    serve = [sys.executable, "-m", "bench._daemons", "--at", json.dumps(list(places)), *places.values()]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemons:
        try:
            assert daemons.stdout is not None
            daemons.stdout.readline()
            yield
        finally:
            daemons.terminate()
