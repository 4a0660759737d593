"""How long `ls` over a thousand machines takes, states and Docker versions included, and how many it asks at once.

They are declared and have records.

Side by side, in turns: mctl, and curl asking the same daemons for the same answer as many at a time, in one process
and with the same certificates. docker-machine, which starts a process for each machine, fails at about 450.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.stacks import records, states
from infra.stacks.home import home
from tests.certificates import Authority
from tests.stack_outputs import outputs

LIMIT = 2.0  # seconds, where machines share stacks
MACHINES = 1000
STACKS = (10, MACHINES)
ROUNDS = 5
HEAD = "config:\n  mctl:machines:\n"
MACHINE = """\
    web-{}:
      provider: digitalocean
      image: debian-12-x64
      size: s-2vcpu-4gb
      engine: {{labels: [tier=web]}}
"""


def main(*, check: bool) -> int:
    """Print medians, their ratio and the most asked at once. Ends with 1, with `check`, where a limit is passed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a port for each daemon
    try:
        took = [_measure(stacks) for stacks in STACKS]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for stacks, (ours, floor, peak) in zip(STACKS, took, strict=True):
        limit = f", limit {LIMIT:.0f} s" if stacks < MACHINES else ", each with its own certificates"
        print(f"ls: {MACHINES} machines in {stacks} stacks {ours:.2f} s{limit}; {ROUNDS} rounds")
        print(f"  curl, {states.WORKERS} at a time {floor:.2f} s; ratio {ours / floor:.2f} x")
        print(f"  asked at once {peak}, limit {states.WORKERS}")
    return int(check and (took[0][0] > LIMIT or max(peak for _, _, peak in took) > states.WORKERS))


def _measure(stacks: int) -> tuple[float, float, int]:
    """Give the median seconds of mctl and of curl, and how many machines mctl asked at once."""
    program = str(Path(sys.executable).with_name("mctl"))
    listed, curled, peaks = [], [], []
    with tempfile.TemporaryDirectory(prefix="mctl-bench-") as folder:
        os.environ["MCTL_HOME"] = f"{folder}/home"
        with _daemons(Path(folder), stacks) as (config, daemons):
            for _ in range(ROUNDS):
                curled.append(_seconds(["curl", "--config", str(config)], b'"Version":"27.3.1"'))
                _peak(daemons)
                listed.append(_seconds([program, "ls"], b"Running   tcp://127.0.0.1:", folder=home()))
                peaks.append(_peak(daemons))
    return statistics.median(listed), statistics.median(curled), max(peaks)


@contextmanager
def _daemons(folder: Path, count: int) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    """Start the daemons and record a machine for each; give curl's config, and the process that serves them."""
    stacks = [_stack(folder / f"stack-{number}") for number in range(count)]
    serve = [sys.executable, "-m", "bench._daemons", *[str(stacks[number % count][0]) for number in range(MACHINES)]]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as daemons:
        try:
            ports = json.loads(daemons.stdout.readline())  # type: ignore[union-attr]
            for number, port in enumerate(ports):
                url = f"tcp://127.0.0.1:{port}"
                stack, pems = stacks[number % count]
                records.save(outputs(f"web-{number}", docker_url=url, **pems), stack=stack.name, project=home())
            for number, (stack, _) in enumerate(stacks):
                names = range(number, MACHINES, count)
                Path(home(), f"Pulumi.{stack.name}.yaml").write_text(HEAD + "".join(MACHINE.format(n) for n in names))
            config = folder / "curl.conf"
            config.write_text(_curl(ports, [stack for stack, _ in stacks]))
            yield config, daemons
        finally:
            daemons.terminate()


def _stack(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make the certificates of a stack; give the folder of the server's, and the client's outputs."""
    folder.mkdir()
    authority = Authority()
    client, server = authority.client(), authority.server("127.0.0.1")
    (folder / "ca.pem").write_text(authority.cert)
    (folder / "client.pem").write_text(client.cert + client.key)
    (folder / "server.pem").write_text(server.cert + server.key)
    return folder, {"ca_cert": authority.cert, "client_cert": client.cert, "client_key": client.key}


def _curl(ports: list[int], stacks: list[Path]) -> str:
    asked = [
        f'url = "https://127.0.0.1:{port}/version"\ncacert = "{stack}/ca.pem"\ncert = "{stack}/client.pem"\nsilent\n'
        for port, stack in zip(ports, stacks * MACHINES, strict=False)
    ]
    return f"parallel\nparallel-max = {states.WORKERS}\n" + "next\n".join(asked)


def _seconds(command: list[str], answer: bytes, *, folder: str = ".") -> float:
    began = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, timeout=100, check=True)
    seconds = time.perf_counter() - began
    assert done.stdout.count(answer) == MACHINES, done.stdout[-500:]
    return seconds


def _peak(daemons: subprocess.Popen[str]) -> int:
    print(file=daemons.stdin, flush=True)
    peak, total = json.loads(daemons.stdout.readline())  # type: ignore[union-attr]
    assert total == MACHINES, total
    return int(peak)
