"""What machines of one stack cost the computer that runs mctl: seconds, memory, and the size of the state.

The machines are of provider `none`: all that mctl and the Pulumi engine do is there, and no host is waited for.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import psutil

from tests.hosts.shop import Shop

SIZES = (1, 10, 40)
LIMIT = 2.0  # GiB for the largest
SAMPLE_SECONDS = 0.2


def main(*, check: bool) -> int:
    """Print a row for each size. Ends with 1, with `check`, where the memory is over its limit."""
    print(f"one stack of N machines of provider none; {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.0f}")
    print(f"{'N':>4}  {'up, s':>7}  {'s each':>7}  {'no-op, s':>8}  {'peak MiB':>8}  {'state KiB each':>14}")
    largest = 0.0
    for size in SIZES:
        folder = Path(tempfile.mkdtemp(prefix="mctl-bench-"))
        try:
            seconds, again, memory, state = _measure(Shop(folder), size)
        finally:
            shutil.rmtree(folder)
        largest = max(largest, memory)
        each, kib = seconds / size, state / size / 1024
        print(f"{size:>4}  {seconds:>7.1f}  {each:>7.2f}  {again:>8.1f}  {memory / 2**20:>8.0f}  {kib:>14.1f}")
    return int(check and largest > LIMIT * 2**30)


def _measure(shop: Shop, size: int) -> tuple[float, float, float, int]:
    """Make the machines, and look once more; give both times, the peak memory in bytes, and that of the state."""
    ran = shop.mctl("create", "m-0", "-d", "none", "--url", "tcp://127.0.0.1:9", "--stack", "s")
    assert ran.code == 0, ran.err
    entry = {"provider": "none", "options": {"url": "tcp://127.0.0.1:9"}}
    file = shop.home / "Pulumi.s.yaml"
    salt = file.read_text().splitlines()[0].split(": ", 1)[1]
    machines = {f"m-{number}": entry for number in range(size)}
    file.write_text(json.dumps({"encryptionsalt": salt, "config": {"mctl:machines": machines}}))
    first = _timed(shop, "up", "s")
    second = _timed(shop, "up", "s")
    state = (shop.home / "state/.pulumi/stacks/mctl/s.json").stat().st_size
    return first[0], second[0], max(first[1], second[1]), state


def _timed(shop: Shop, *arguments: str) -> tuple[float, float]:
    """Run mctl; give the seconds, and the most memory that it and the processes below it held at once."""
    peak, done = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(SAMPLE_SECONDS):
            peak = max(peak, sum(_resident(process) for process in psutil.Process().children(recursive=True)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    began = time.perf_counter()
    try:
        ran = shop.mctl(*arguments)
    finally:
        done.set()
        watcher.join()
    assert ran.code == 0, ran.err
    return time.perf_counter() - began, peak


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0
