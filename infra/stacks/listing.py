"""Every machine in reach, with the state it is in right now.

In reach is what has a record here, and what the project around the current folder declares. What docker-machine left
in the same folder is shown too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from infra.errors import MctlError, NotFoundError
from infra.machine import MANAGER
from infra.stacks import active, expiry, lookup, project, records, states
from infra.stacks.filters import Filters
from infra.stacks.records import Record

MANAGES = " (master)"  # as docker-machine has it
FOREIGN = "docker-machine's: mctl import {} takes it over"
NO_RECORD = "no record here yet: mctl refresh {0} fetches it, mctl up {0} makes the machine"


@dataclass(frozen=True, kw_only=True)
class Listed:
    """One machine. url: empty unless it runs. active: docker uses it in this shell. certificate_expiry: ISO 8601.

    record: None for a machine that has none here, or a damaged one.
    """

    name: str
    active: bool = False
    driver: str = ""
    state: str = ""
    url: str = ""
    swarm: str = ""
    docker_version: str = ""
    error: str = ""
    stack: str = ""
    certificate_expiry: str = ""
    milliseconds: int = 0
    record: Record | None = None


def machines(timeout: float, filters: Filters) -> tuple[list[Listed], MctlError | None]:
    """Ask all machines at once, for `timeout` seconds at most; they come in natural order.

    A machine that the filters rule out is not asked. The error is what keeps the project's declarations from being
    read.
    """
    declared, error = _declared()
    found: dict[str, Listed] = {row.name: row for row in declared if filters.keep_name(row.name)}
    for name in filter(filters.keep_name, records.names()):
        try:
            found[name] = _recorded(lookup.find(name))
        except NotFoundError:  # removed by another hand, or since it was listed
            found.pop(name, None)
        except MctlError as damaged:
            found[name] = Listed(name=name, state=states.ERROR, error=f"{damaged.message}; {damaged.mend}")
    for name in filter(filters.keep_name, records.foreign()):
        found.setdefault(name, Listed(name=name, state=states.ERROR, error=FOREIGN.format(name)))
    rows = [found[name] for name in records.in_order(found)]
    kept = [row for row in rows if _is_kept(row, filters)]
    return [row for row in _asked(kept, timeout) if filters.keep_state(row.state)], error


def _is_kept(row: Listed, filters: Filters) -> bool:
    labels = row.record.labels if row.record else {}
    return filters.keep_declared(row.driver, labels, row.swarm.removesuffix(MANAGES))


def _declared() -> tuple[list[Listed], MctlError | None]:
    try:
        folder = project.find_project()
        return [
            Listed(name=name, driver=provider, error=NO_RECORD.format(name), stack=stack)
            for stack in project.stacks(folder)
            for name, provider in project.providers(folder, stack).items()
        ], None
    except MctlError as error:
        return [], error


def _recorded(record: Record) -> Listed:
    return Listed(
        name=record.name,
        driver=record.provider,
        stack=record.stack,
        swarm=record.swarm and record.stack + MANAGES * (record.swarm == MANAGER),
        certificate_expiry=record.certificate_expiry,
        record=record,
    )


def _asked(rows: Sequence[Listed], timeout: float) -> Iterator[Listed]:
    url = active.docker_url()
    answers = iter(states.probe_all([row.record for row in rows if row.record], timeout))
    for row in rows:
        yield _with_state(row, row.record, next(answers), url) if row.record else row


def _with_state(row: Listed, record: Record, state: states.State, active_url: str) -> Listed:
    ending = expiry.warning(record)
    errors = [state.error, f"{ending}; {expiry.mend(record)}" if ending else ""]
    return replace(
        row,
        active=active.is_at(record, active_url),
        state=state.word,
        url=record.docker_url if state.word == states.RUNNING else "",
        docker_version=state.docker_version,
        error="; ".join(filter(None, errors)),
        milliseconds=state.milliseconds,
    )
