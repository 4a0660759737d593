"""Real hosts with real Docker, made machines by one command and one by one.

docker-machine's way, one process for each, is the second figure at best: it takes 19 connections for a host, mctl four.
MCTL_BENCH_HOSTS=4 measures fewer hosts than twenty.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ruamel.yaml import YAML

from tests.container_hosts import ContainerHost, container_hosts
from tests.hosts.shop import Shop, options

HOSTS = int(os.environ.get("MCTL_BENCH_HOSTS", "20"))
PER_STACK = 5
# Each host's systemd takes about eight of them, and all are root's; the kernel gives a user 128.
# Source: https://man7.org/linux/man-pages/man7/inotify.7.html
INOTIFY, INSTANCES = Path("/proc/sys/fs/inotify/max_user_instances"), 2048
LIMIT = 1 / 3


def main(*, check: bool) -> int:
    """Print both times and their ratio. Ends with 1, with `check`, where it is over the limit."""
    folder = Path(tempfile.mkdtemp(prefix="mctl-bench-"))
    try:
        with _room(), container_hosts(folder) as hosts:
            made = [hosts.start(docker_installed=True) for _ in range(HOSTS)]
            together, apart = _together(_shop(folder / "together"), made), _apart(_shop(folder / "apart"), made)
            for host in made:
                hosts.remove(host)
    finally:
        shutil.rmtree(folder)
    print(f"{HOSTS} hosts with Docker by one command {together:.1f} s; one by one {apart:.1f} s")
    print(f"  ratio {together / apart:.2f} x, limit {LIMIT:.2f} x, on {os.cpu_count()} processors")
    return int(check and together > LIMIT * apart)


@contextmanager
def _room() -> Iterator[None]:
    """Let so many hosts watch their files within a `with` block."""
    before = INOTIFY.read_text()
    INOTIFY.write_text(str(INSTANCES))
    try:
        yield
    finally:
        INOTIFY.write_text(before)


def _shop(folder: Path) -> Shop:
    folder.mkdir()
    shop = Shop(folder)
    shop.mctl("ls")  # makes its home
    return shop


def _together(shop: Shop, hosts: Sequence[ContainerHost]) -> float:
    shared = {"ssh_user": "root", "ssh_key": str(hosts[0].private_key)}
    own = {
        f"web-{number}": {"options": {"ip_address": host.address}, "ssh_host_key": host.host_key}
        for number, host in enumerate(hosts, 1)
    }
    group = {"count": len(hosts), "per_stack": PER_STACK, "provider": "generic", "options": shared, "machines": own}
    with (shop.home / "Pulumi.prod.yaml").open("w") as file:
        YAML().dump({"config": {"mctl:groups": {"web": group}}}, file)
    seconds = _seconds(shop, "up", "prod")
    shop.mctl("rm", "-y", "web")
    return seconds


def _apart(shop: Shop, hosts: Sequence[ContainerHost]) -> float:
    return sum(_seconds(shop, "create", f"web-{number}", *options(host)) for number, host in enumerate(hosts, 1))


def _seconds(shop: Shop, *arguments: str) -> float:
    began = time.perf_counter()
    ran = shop.mctl(*arguments)
    assert ran.code == 0, ran.err
    return time.perf_counter() - began
