"""How long a shell waits for a read, against `python -c pass` in the same environment.

Both are whole processes, started in turns so that whatever else the computer does hits both alike;
medians are compared.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence

from infra.stacks import records

LIMIT = 3.0
ROUNDS = 25
MACHINES = 10
READS: tuple[tuple[str, ...], ...] = (
    ("ip", "web-1"),
    ("url", "web-1"),
    ("env", "web-1"),
    ("ls", "-q"),
    ("inspect", "web-1"),
)
FORBIDDEN = ("pulumi", "typer", "rich", "click", "grpc", "boto3", "google", "azure")


def main(*, check: bool) -> int:
    """Print the ratio of each read. Ends with 1 for a forbidden import, and with `check` for a ratio over the limit."""
    program = shutil.which("mctl", path=os.path.dirname(sys.executable)) or "mctl"
    with tempfile.TemporaryDirectory(prefix="mctl-bench-") as home:
        environment = {**os.environ, "MCTL_HOME": home, "SHELL": "/bin/bash"}
        os.environ["MCTL_HOME"] = home
        for number in range(1, MACHINES + 1):
            records.save(_outputs(f"web-{number}"), stack="prod", project=home)
        imported = {read: _forbidden_imports([program, *read], environment) for read in READS}
        base, times = _measure(program, environment)
    print(f"reads: python -c pass {base * 1000:.1f} ms; limit {LIMIT:.1f} x; {ROUNDS} rounds, {MACHINES} machines")
    over = False
    for read, seconds in times.items():
        ratio = seconds / base
        over |= ratio > LIMIT
        found = ", ".join(imported[read]) or "none"
        print(f"  mctl {' '.join(read):<14} {seconds * 1000:6.1f} ms  {ratio:4.2f} x  heavy imports: {found}")
    return int(any(imported.values()) or (check and over))


def _measure(program: str, environment: Mapping[str, str]) -> tuple[float, dict[tuple[str, ...], float]]:
    base: list[float] = []
    times: dict[tuple[str, ...], list[float]] = {read: [] for read in READS}
    for _ in range(ROUNDS):
        for read, seconds in times.items():
            base.append(_seconds([sys.executable, "-c", "pass"], environment))
            seconds.append(_seconds([program, *read], environment))
    return statistics.median(base), {read: statistics.median(seconds) for read, seconds in times.items()}


def _seconds(command: Sequence[str], environment: Mapping[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def _forbidden_imports(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True,
    ).stderr
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines()}
    return sorted(module for module in modules if module.startswith(FORBIDDEN))


def _outputs(name: str) -> dict[str, object]:
    return {
        "name": name,
        "provider": "generic",
        "instance_id": name,
        "address": "192.0.2.1",
        "private_address": "10.0.0.1",
        "ssh_user": "root",
        "ssh_port": 22,
        "docker_url": "tcp://192.0.2.1:2376",
        "engine_version": "27.3.1",
        "ca_cert": "CA",
        "client_cert": "CERT",
        "client_key": "KEY",
        "ssh_private_key": "KEY",
        "ssh_host_key": "ssh-ed25519 AAAA",
        "certificate_expiry": "2030-01-01T00:00:00Z",
        "labels": {},
        "running": True,
    }
