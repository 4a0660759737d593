"""The nodes of a stack's Swarm: looked at and changed through a manager that is up."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from infra.components import drivers
from infra.components.engine_scripts import swarm as scripts
from infra.errors import HostError, NotFoundError, RecordError, UsageError
from infra.machine import MANAGER, MachineSpec, SwarmSpec
from infra.stacks import host_scripts, project, records
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.states import probe, probe_all

SECONDS = 5
ACTIVE, DRAIN = "active", "drain"


class Node(NamedTuple):
    """One node, in Docker's words. machine: empty for one that is not ours.

    reachability: empty for a worker, and for a manager that was lost when another went on alone.
    """

    id: str
    machine: str
    host: str
    role: str
    state: str
    availability: str
    reachability: str
    leader: bool
    engine: str


def specs(folder: Path, stack: str) -> list[MachineSpec]:
    """Read the machines that a stack declares. Raises UsageError."""
    return [MachineSpec.from_config(name, entry) for name, entry in project.machines(folder, stack).items()]


def swarm_of(folder: Path, stack: str, asked: SwarmSpec | None) -> SwarmSpec | None:
    """Give the Swarm that a stack declares already, else the one asked for. Raises UsageError where they differ."""
    there = project.swarm(folder, stack)
    if there and asked not in (None, SwarmSpec(), replace(there, lead="", networks=SwarmSpec().networks)):
        raise UsageError(
            f"the machines of stack {stack} form a Swarm already, another one than this",
            mend=f"change mctl:swarm in Pulumi.{stack}.yaml, then run mctl up {stack}",
        )
    return there or asked


def in_zone(spec: MachineSpec, place: int) -> MachineSpec:
    """Begin with another zone at each place in a Swarm, so that no zone takes most managers with it."""
    if not spec.zones:
        return spec
    first = place % len(spec.zones)
    zones = spec.zones[first:] + spec.zones[:first]
    return replace(spec, zones=zones, options={**spec.options, "zone": zones[0]})


def members(folder: Path, stack: str) -> list[Record]:
    """Load the records of the machines of a stack's Swarm."""
    found = []
    for name in project.machines(folder, stack):
        try:
            record = records.load(name)
        except (NotFoundError, RecordError):
            continue
        if record.swarm:
            found.append(record)
    return found


def manager_of(stack: str, among: Sequence[Record]) -> Record:
    """Find a manager that is up. Raises HostError."""
    managers = [record for record in among if record.swarm == MANAGER]
    for record, state in zip(managers, probe_all(managers, SECONDS), strict=True):
        if state.docker_version:
            return record
    names = [record.name for record in managers]
    raise HostError(
        f"no manager of the Swarm of stack {stack} answers: {', '.join(names) or 'there is none'}",
        mend=f"mctl start {' '.join(names)}" if names else f"mctl up {stack}",
    )


def nodes(manager: Record, report: Report) -> list[Node]:
    """List the nodes as a manager knows them. Raises HostError where the managers have no quorum."""
    said = _run(manager, "list", report)
    return [_node(json.loads(line)) for line in said.splitlines() if line.startswith("{")]


def retire(folder: Path, stack: str, names: Sequence[str], *, force: bool, again: str, report: Report) -> bool:
    """Take machines' nodes out of their Swarm; what runs on them moves to the others first. Tell whether it was forced.

    force: also where the managers that are left lose their quorum by that, or have lost it: one of them then goes on
    alone, where one is up. again: the command that forces it. Raises HostError.
    """
    known = members(folder, stack)
    going = [record for record in known if record.name in names]
    others = [record for record in known if record.name not in names]
    who = f"machine{'s' if len(names) > 1 else ''} " + ", ".join(f'"{name}"' for name in names)
    manager = None
    try:
        manager = _manager_besides(stack, going, others, report)
        lost = _loses_quorum(nodes(manager, report), names)
    except HostError as error:
        if not force:
            raise HostError(
                f"{who} can't leave the Swarm: {error.message}",
                machine=error.machine,
                mend=f"{error.mend}; or without its agreement: {again}",
            ) from None
        lost = True
    if lost and not force:
        raise HostError(
            f"without {who} the managers of the Swarm lose their quorum",
            mend=f"start the managers that are down, or remove those first; or all the same: {again}",
        )
    try:
        if lost or not manager:
            manager = manager_of(stack, others)
            _refuse_locked(folder, stack, manager)
            _run(manager, "alone", report)
        _run(manager, "retire", report, of=" ".join(names))
        _lead_away(folder, stack, names, manager.name)
    except HostError as error:
        if not lost:
            raise
        report(Progress(error.machine or "", f"{error.message}: {error.mend}", notice=True))
    for record in going:
        _leave(record, report)
    return lost


@contextmanager
def drained(folder: Path, stack: str, name: str, report: Report) -> Iterator[None]:
    """Have the other nodes do what a machine's node does meanwhile, where it is one of several that take tasks."""
    others = [record for record in members(folder, stack) if record.name != name]
    manager = None
    if any(record.swarm == MANAGER for record in others):
        manager = manager_of(stack, others)
        taking = [node for node in nodes(manager, report) if node.availability == ACTIVE and node.state == "ready"]
        if not {node.machine for node in taking} > {name}:
            manager = None
    if manager is None:
        yield
        return
    _run(manager, "availability", report, of=name, availability=DRAIN)
    try:
        yield
    finally:
        _run(manager, "availability", report, of=name, availability=ACTIVE)


def unlock(record: Record, key: str, report: Report) -> None:
    """Open a manager that its restart has locked. Raises HostError."""
    _run(record, "unlock", report, key=key)


def tokens(manager: Record, report: Report, *, rotate: bool = False) -> dict[str, str]:
    """Read what further nodes join with, by role; rotate: make it anew before, and the unlock key too."""
    said = scripts.said(_run(manager, "tokens", report, rotate="yes" if rotate else ""))
    return {key.removesuffix("-token"): token for key, token in said.items() if key.endswith("-token")}


def _manager_besides(stack: str, going: Sequence[Record], others: Sequence[Record], report: Report) -> Record:
    """Find another manager; where the one that goes is the only one, another machine becomes one first."""
    if any(record.swarm == MANAGER for record in others) or not going:
        return manager_of(stack, others)
    for record, state in zip(others, probe_all(others, SECONDS), strict=True):
        if state.docker_version:
            _run(manager_of(stack, going), "promote", report, of=record.name)
            return record
    raise HostError("no other machine answers that could manage it", mend=f"mctl status {others[0].name}")


def _loses_quorum(found: Sequence[Node], going: Sequence[str]) -> bool:
    """Tell whether too few managers would be in reach. https://docs.docker.com/engine/swarm/raft/."""
    counting = [node for node in found if node.role == MANAGER and node.reachability]
    left = [node for node in counting if node.machine not in going]
    return sum(node.reachability == "reachable" for node in left) <= len(left) // 2


def _refuse_locked(folder: Path, stack: str, manager: Record) -> None:
    """Leave a manager that needs a key as it is: Docker takes no key for a Swarm that is to go on with one alone.

    It would answer that the Swarm is encrypted, and be in none until its next restart.
    """
    swarm = project.swarm(folder, stack)
    if swarm and swarm.autolock:
        raise HostError(
            f'with autolock no manager can go on alone, and machine "{manager.name}" waits for the others',
            machine=manager.name,
            mend="mctl start those that are down; where they are lost, remove the whole Swarm and create it again",
        )


def _lead_away(folder: Path, stack: str, names: Sequence[str], manager: str) -> None:
    """Keep whoever takes the lead's place from being asked to lead a Swarm that it is not in yet."""
    swarm = project.swarm(folder, stack)
    if swarm and swarm.lead_of(specs(folder, stack)) in names:
        project.declare_swarm(folder, stack, replace(swarm, lead=manager))


def _leave(record: Record, report: Report) -> None:
    """Let a host that stays leave; one that does not answer is told in a notice."""
    if drivers.load(record.provider).makes_vm or not probe(record, SECONDS).docker_version:
        return
    try:
        _run(record, "leave", report)
    except HostError as error:
        report(Progress(record.name, f"{error.message}: {error.mend}", notice=True))


def _run(record: Record, does: str, report: Report, **values: str) -> str:
    script = scripts.script(record.name, does, **values)
    return host_scripts.run(record, script, report, mend=f"mctl status {record.name}")


def _node(told: dict[str, Any]) -> Node:
    spec, status, manager = told["Spec"], told["Status"], told.get("ManagerStatus") or {}
    return Node(
        id=told["ID"],
        machine=(spec.get("Labels") or {}).get("mctl.machine", ""),
        host=told["Description"]["Hostname"],
        role=spec["Role"],
        state=status["State"],
        availability=spec["Availability"],
        reachability=manager.get("Reachability", ""),
        leader=bool(manager.get("Leader")),
        engine=told["Description"]["Engine"]["EngineVersion"],
    )
