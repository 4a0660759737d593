"""What machines of one stack cost the computer that runs mctl: seconds, memory, and the size of the state.

The machines are of provider `none`: all that mctl and the Pulumi engine do is there, and no host is waited for.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil

from tests.hosts.shop import Shop

SIZES = (1, 10, 50)
LIMIT = 2.0  # GiB for the largest
SAMPLE_SECONDS = 0.2


class Cost(NamedTuple):
    """What a run took: seconds of the clock, and of all CPUs; the most bytes of memory at once."""

    seconds: float
    cpu: float
    memory: float


def main(*, check: bool) -> int:
    """Print a row for each size. Ends with 1, with `check`, where the memory is over its limit."""
    print(f"one stack of N machines of provider none; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.0f}")
    print("|  N | up, s | CPU s | CPU s each | no-op, s | CPU s | peak MiB | state KiB each |")
    print("|---:|------:|------:|-----------:|---------:|------:|---------:|---------------:|")
    largest = 0.0
    for size in SIZES:
        folder = Path(tempfile.mkdtemp(prefix="mctl-bench-"))
        try:
            made, again, state = _measure(Shop(folder), size)
        finally:
            shutil.rmtree(folder)
        largest = max(largest, made.memory, again.memory)
        print(
            f"| {size:>2} | {made.seconds:>5.1f} | {made.cpu:>5.1f} | {made.cpu / size:>10.2f} | {again.seconds:>8.1f}"
            f" | {again.cpu:>5.1f} | {max(made.memory, again.memory) / 2**20:>8.0f} | {state / size / 1024:>14.1f} |"
        )
    return int(check and largest > LIMIT * 2**30)


def _measure(shop: Shop, size: int) -> tuple[Cost, Cost, int]:
    """Make the machines, and look once more; give both costs, and the bytes of the state."""
    ran = shop.mctl("create", "m-0", "-d", "none", "--url", "tcp://127.0.0.1:9", "--stack", "s")
    assert ran.code == 0, ran.err
    entry = {"provider": "none", "options": {"url": "tcp://127.0.0.1:9"}}
    file = shop.home / "Pulumi.s.yaml"
    salt = file.read_text().splitlines()[0].split(": ", 1)[1]
    machines = {f"m-{number}": entry for number in range(size)}
    file.write_text(json.dumps({"encryptionsalt": salt, "config": {"mctl:machines": machines}}))
    made, again = _cost(shop, "up", "s"), _cost(shop, "up", "s")
    return made, again, (shop.home / "state/.pulumi/stacks/mctl/s.json").stat().st_size


def _cost(shop: Shop, *arguments: str) -> Cost:
    """Run mctl; the processes below it count too."""
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_SECONDS):
            peak = max(peak, sum(_resident(process) for process in psutil.Process().children(recursive=True)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began, before = time.perf_counter(), _cpu()
    try:
        ran = shop.mctl(*arguments)
    finally:
        seconds, cpu = time.perf_counter() - began, _cpu() - before
        done.set()
        watcher.join()
    assert ran.code == 0, ran.err
    return Cost(seconds, cpu, peak)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
