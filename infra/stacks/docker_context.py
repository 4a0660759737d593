"""The docker context that each machine gets, and each Swarm, so that `docker --context NAME ps` just works.

Made by the docker CLI itself, which owns the format. A context that we did not make is never touched. What can't be
done is told in a notice and stops nothing: the context is a comfort.
"""

from __future__ import annotations

import os
import subprocess
from typing import NamedTuple

from infra.stacks.records import Record

MARK, CLUSTER_MARK = "mctl machine", "mctl swarm"
RESERVED = "default"
SECONDS = 20


def create_or_update(record: Record, formerly: str = "", cluster: str = "") -> str | None:
    """Point the machine's context at it, or that of a Swarm which it manages. Gives a notice where that can't be done.

    formerly: the machine's name before; where its context is the current one, this one becomes it. cluster: the name of
    the Swarm, whose context it is.
    """
    name = cluster or record.name
    mark = f"{CLUSTER_MARK} {cluster}" if cluster else _mark(name)
    if not record.docker_url:
        return None  # it is off, and has no address until it is on
    if name == RESERVED:
        return f'docker keeps the context name "{RESERVED}" for itself: use `eval "$(mctl env {RESERVED})"`'
    try:
        contexts = _contexts()
        there, former = contexts.get(name), contexts.get(formerly)
        if there and there.description != mark:
            return f'docker context "{name}" is not ours and stays as it is: use `eval "$(mctl env {name})"`'
        verb = "update" if there else "create"
        _docker("context", verb, name, "--description", mark, "--docker", _endpoint(record))
        if former and former.current and former.description == _mark(formerly):
            _docker("context", "use", name)
    except _DockerError as error:
        return f'no docker context "{name}": {error}'
    return None


def remove(name: str) -> str | None:
    """Remove the context of a machine or a Swarm, the current one too. Gives a notice on failure."""
    try:
        there = None if name == RESERVED else _contexts().get(name)
        if not there or there.description not in (_mark(name), f"{CLUSTER_MARK} {name}"):
            return None
        if there.current:
            _docker("context", "use", RESERVED)
        _docker("context", "rm", "--force", name)
    except _NoDockerError:
        return None
    except _DockerError as error:
        return f'docker context "{name}" is left: {error}'
    return None


class _DockerError(Exception):
    """The docker CLI can't do it."""


class _NoDockerError(_DockerError):
    """There is no docker CLI."""


def _mark(name: str) -> str:
    return f"{MARK} {name}"


class _Context(NamedTuple):
    current: bool
    description: str


def _contexts() -> dict[str, _Context]:
    """Read every context by name. `docker context show` would tell the current one, but not before docker 23."""
    listed = _docker("context", "ls", "--format", "{{.Name}}\t{{.Current}}\t{{.Description}}").splitlines()
    rows = [line.split("\t", 2) for line in listed if line.count("\t") >= 2]
    return {name: _Context(current == "true", description) for name, current, description in rows}


def _endpoint(record: Record) -> str:
    """Write the endpoint as the CLI reads it: one CSV line of `key=value`."""
    settings = {"host": record.docker_url} | {
        key: os.path.join(record.folder, f"{key}.pem") for key in ("ca", "cert", "key")
    }
    return ",".join('"{}"'.format(f"{key}={value}".replace('"', '""')) for key, value in settings.items())


def _docker(*arguments: str) -> str:
    # DOCKER_HOST and DOCKER_CONTEXT change which context counts as current.
    environment = {key: value for key, value in os.environ.items() if key not in ("DOCKER_HOST", "DOCKER_CONTEXT")}
    try:
        done = subprocess.run(
            ["docker", *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise _NoDockerError("there is no docker program on PATH") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _DockerError(str(error)) from None
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip() and not line.startswith(("Run '", "See '"))]
        raise _DockerError(said[-1] if said else f"docker ended with {done.returncode}")
    return done.stdout
