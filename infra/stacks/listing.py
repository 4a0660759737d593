"""Every machine in reach, with the state it is in right now.

In reach is what has a record here, and what the project around the current folder declares. What docker-machine left
in the same folder is shown too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from infra.errors import MctlError, NotFoundError
from infra.stacks import lookup, project, records, states
from infra.stacks.records import Record

FOREIGN = "docker-machine's: mctl import {} takes it over"
NO_RECORD = "no record here yet: mctl refresh {0} fetches it, mctl up {0} makes the machine"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One machine. url: empty unless it runs. active: it is the one that docker uses in this shell."""

    name: str
    active: bool = False
    driver: str = ""
    state: str = ""
    url: str = ""
    swarm: str = ""
    docker_version: str = ""
    error: str = ""
    stack: str = ""
    milliseconds: int = 0


def machines(timeout: float) -> tuple[list[Listed], MctlError | None]:
    """Ask all machines at once, for `timeout` seconds at most; they come in natural order.

    The error is what keeps the project's declarations from being read.
    """
    declared, error = _declared()
    found: dict[str, Record | Listed] = dict(declared)
    for name in records.names():
        try:
            found[name] = lookup.find(name)
        except NotFoundError:  # removed by another hand, or since it was listed
            found.pop(name, None)
        except MctlError as damaged:
            found[name] = Listed(name=name, state=states.ERROR, error=f"{damaged.message}; {damaged.mend}")
    for name in records.foreign():
        found.setdefault(name, Listed(name=name, state=states.ERROR, error=FOREIGN.format(name)))
    return list(_probed([found[name] for name in records.in_order(found)], timeout)), error


def _declared() -> tuple[dict[str, Listed], MctlError | None]:
    try:
        folder = project.find_project()
        return {
            name: Listed(
                name=name, driver=str((entry or {}).get("provider", "")), error=NO_RECORD.format(name), stack=stack
            )
            for stack in project.stacks(folder)
            for name, entry in project.machines(folder, stack).items()
        }, None
    except MctlError as error:
        return {}, error


def _probed(found: Sequence[Record | Listed], timeout: float) -> Iterator[Listed]:
    readable = [each for each in found if isinstance(each, Record)]
    answers = iter(states.probe_all(readable, timeout))
    for each in found:
        yield each if isinstance(each, Listed) else _listed(each, next(answers))


def _listed(record: Record, state: states.State) -> Listed:
    return Listed(
        name=record.name,
        active=os.environ.get("DOCKER_HOST") == record.docker_url,
        driver=record.provider,
        state=state.word,
        url=record.docker_url if state.word == states.RUNNING else "",
        docker_version=state.docker_version,
        error=state.error,
        stack=record.stack,
        milliseconds=state.milliseconds,
    )
