"""How long `create --provider generic` takes on a host that has Docker, and how often it logs in.

Side by side, in turns, on hosts alike: mctl, and its two host scripts over plain ssh, which is what any tool would pay
for the same result. docker-machine 0.16.2 needs 19 connections.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from pathlib import Path

from infra.machine import EngineSpec
from tests.container_hosts import ContainerHost, container_hosts
from tests.hosts.rig import Rig
from tests.hosts.shop import Shop, options

LIMIT = 4.0  # seconds
CONNECTIONS = 4
ROUNDS = 5


def main(*, check: bool) -> int:
    """Print medians, their ratio and the connections. Ends with 1, with `check`, where a limit is passed."""
    created, scripts, connections = [], [], set()
    folder = Path(tempfile.mkdtemp(prefix="mctl-bench-"))
    try:
        with container_hosts(folder) as hosts:
            for number in range(ROUNDS):
                host = hosts.start(docker_installed=True)
                seconds, logins = _create(Shop(folder / str(number)), host)
                created.append(seconds)
                connections.add(logins)
                hosts.remove(host)
                host = hosts.start(docker_installed=True)
                scripts.append(_scripts(Rig(host, folder)))
                hosts.remove(host)
    finally:
        shutil.rmtree(folder)
    ours, floor = statistics.median(created), statistics.median(scripts)
    print(f"create --provider generic: {ours:.2f} s, limit {LIMIT:.0f} s; {ROUNDS} rounds")
    print(f"  its two scripts over plain ssh {floor:.2f} s; ratio {ours / floor:.2f} x")
    print(f"  SSH connections {max(connections)}, limit {CONNECTIONS}")
    return int(check and (ours > LIMIT or max(connections) > CONNECTIONS))


def _create(shop: Shop, host: ContainerHost) -> tuple[float, int]:
    shop.folder.mkdir()
    before = _logins(host)
    began = time.perf_counter()
    ran = shop.mctl("create", "box", *options(host))
    seconds = time.perf_counter() - began
    assert ran.code == 0, ran.err
    logins = _logins(host) - before
    shop.mctl("rm", "-y", "box")
    return seconds, logins


def _scripts(rig: Rig) -> float:
    began = time.perf_counter()
    rig.apply(EngineSpec())
    return time.perf_counter() - began


def _logins(host: ContainerHost) -> int:
    """Count what the host's sshd took for a connection, whatever came of it."""
    return int(
        host.exec("journalctl -u ssh.service -o cat | grep -cE '^(Accepted|Failed|Connection closed)'", check=False)
    )
