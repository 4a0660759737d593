"""What can be done with machines by name: create, up, refresh, remove.

What failed or was stopped half-way is gone on with by the same command, and `remove` leaves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.components import bastion, drivers, provision, refusals
from infra.errors import HostError, NameTakenError, NotFoundError, PreCreateError, RecordError, StackError
from infra.machine import MANAGER, MachineSpec, SwarmSpec
from infra.stacks import caller, docker_context, project, records, room, shared, state_files, swarm_nodes
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.states import probe
from infra.stacks.store import Stack

START_SECONDS = 240  # a reboot under software emulation takes a minute
PROBE_SECONDS = 5
POLL_SECONDS = 0.3


@dataclass(frozen=True)
class Made:
    """What a create made: the record, and the seconds that its phases (boot, install, configure) took."""

    record: Record
    phases: Mapping[str, float]


def create(spec: MachineSpec, stack: str, report: Report, swarm: SwarmSpec | None = None) -> Made:
    """Make a machine, or go on with one whose making was stopped.

    swarm: what the machines of its stack form from now on. Raises NameTakenError for a machine that is there,
    PreCreateError before anything is made, StackError after.
    """
    folder = project.find_project()
    refuse_taken(folder, spec.name, stack)
    _refuse_foreign(spec.name)
    swarm = swarm_nodes.swarm_of(folder, stack, swarm)
    if swarm:
        known = list(project.machines(folder, stack))
        spec = swarm_nodes.in_zone(spec, known.index(spec.name) if spec.name in known else len(known))
    spec = checked(folder, spec)
    opened = Stack(folder, stack, report, make=True)
    project.declare(folder, stack, spec)
    if swarm:
        project.declare_swarm(folder, stack, swarm)
    records.begin(spec.name, provider=spec.provider, stack=stack, project=str(folder))
    mend = f"mctl create {spec.name} … once more goes on from here; mctl rm {spec.name} clears it"
    phases = room.up_where_there_is(opened, report, mend=mend)
    made = {record.name: record for record in keep_records(opened, report)}
    return Made(made[spec.name], phases.get(spec.name, {}))


def up(name: str, report: Report) -> list[Record]:
    """Bring a stack, named by itself or by a machine in it, to what it declares."""
    return bring(*locate(name), report, mend=f"mctl up {name}")


def bring(folder: Path, stack: str, report: Report, *, mend: str) -> list[Record]:
    """Bring a stack to what it declares, and make one that is declared alone.

    What was made before a failure gets its record all the same. A part of a fleet that declares nothing any more goes.
    """
    opened = _declared(folder, stack, report)
    if project.fleet_of(folder, stack) != stack and not project.machines(folder, stack):
        end(opened, report)
        return []
    try:
        room.up_where_there_is(opened, report, mend=mend)
    except StackError:
        keep_records(opened, report, partly=True)
        raise
    kept = keep_records(opened, report)
    for record in kept:
        _open_lock(record, report)
    project.forget_former_names(folder, stack)
    return kept


def _declared(folder: Path, stack: str, report: Report) -> Stack:
    if not project.was_opened(folder, stack):
        return Stack(folder, stack, report, make=True)
    try:
        return Stack(folder, stack, report)
    except NotFoundError:  # its file has the key of another's secrets, as a part's has
        if project.fleet_of(folder, stack) == stack:
            raise
    return Stack(folder, stack, report, make=True)


def end(opened: Stack, report: Report) -> None:
    """Remove a stack with all that it has, and its declaration."""
    opened.settle()
    opened.destroy()
    opened.delete()
    project.discard(opened.folder, opened.name)
    _forget_cluster(opened.name, report)
    for name in records.of_stack(opened.name, str(opened.folder)):
        forget(name, report)


def refresh(name: str, report: Report) -> list[Record]:
    """Look at what is really there, and write the records anew."""
    opened = Stack(*locate(name), report)
    opened.refresh()
    return keep_records(opened, report)


def remove(name: str, report: Report, *, force: bool = False, going: Sequence[str] = ()) -> None:
    """Remove a machine with all that was made for it: host, disk, stack entry, context and record.

    force: though its Swarm loses its quorum by that. going: all that are about to be removed; a Swarm of which all are
    goes without ceremony. Raises NotFoundError where neither a record nor a declaration has the name.
    """
    try:
        folder, stack = locate(name)
    except (NotFoundError, RecordError):
        if not records.has_folder(name):
            raise
        forget(name, report)
        return
    declared = project.machines(folder, stack)
    if declared and name not in declared:
        raise records.missing(name)  # it is the name of a stack
    others = [machine for machine in declared if machine != name]
    whole = not others and project.is_ours_alone(folder, stack) and not project.parts(folder, stack)
    opened = None
    with suppress(NotFoundError):  # declared, but never made
        opened = Stack(folder, stack, report)
        opened.settle()
        if others and project.swarm(folder, stack):
            _take_out(opened, name, force=force, all_go=set(others) <= set(going))
        else:
            opened.destroy(*(_names(name, declared) if others else ()))
    if whole:
        if opened:
            opened.delete()
        project.withdraw(folder, stack, name)  # from its fleet too
        project.discard(folder, stack)
        _forget_cluster(stack, report)
    else:
        project.withdraw(folder, stack, name)
        if opened:
            if shared.is_shared(folder):
                opened.publish()
            keep_records(opened, report)  # the stack state has changed for the others too
    forget(name, report)


def _take_out(opened: Stack, name: str, *, force: bool, all_go: bool) -> None:
    """Remove a machine of a Swarm; others are told of it by an `up`."""
    if all_go:
        opened.destroy()
    elif leave_swarm(opened, [name], force=force, again=f"mctl rm -f {name}"):
        mend = f"mctl up {opened.name}"
        opened.report(Progress("", f"the others of the Swarm stay as they are until: {mend}", notice=True))
    else:
        opened.up(mend=f"mctl rm {name}", without=[name])


def leave_swarm(opened: Stack, names: Sequence[str], *, force: bool, again: str) -> bool:
    """Have machines leave their Swarm; tell whether they were removed without its agreement, so without an `up`.

    Other managers are down then, whose hosts an `up` would ask in vain. force, again: as for swarm_nodes.retire.
    """
    if not swarm_nodes.retire(opened.folder, opened.name, names, force=force, again=again, report=opened.report):
        return False
    declared = project.machines(opened.folder, opened.name)
    opened.destroy(*(each for name in names if name in declared for each in _names(name, declared)))
    return True


def _names(name: str, declared: Mapping[str, Any]) -> list[str]:
    """Give every name that a machine may have in the stack state: also the one before, where a rename was stopped."""
    return [name, *filter(None, [declared[name].get("formerly")])]


def unlock(folder: Path, stack: str, report: Report) -> None:
    """Clear a stack's locks, whoever holds them. Raises NotFoundError where there is no such stack."""
    Stack(folder, stack, report).unlock()


def rebuild(name: str) -> Record:
    """Write a machine's record anew from the outputs of the stack that declares it. Raises NotFoundError."""
    try:
        folder, stack = locate(name)
    except NotFoundError:
        _forget_removed(name)
        raise
    for record in keep_records(Stack(folder, stack, _silence, read=True), _silence):
        if record.name == name:
            return record
    raise NotFoundError(
        f'machine "{name}" is declared in stack {stack} but not made yet', machine=name, mend=f"mctl up {stack}"
    )


def locate(name: str) -> tuple[Path, str]:
    """Find the project folder and the stack of a machine, or of a stack's own name.

    Raises NotFoundError, and RecordError where a damaged record is all there is.
    """
    folder, damaged = project.find_project(), None
    try:
        record = records.load(name)
        if project.declares(Path(record.project), record.stack, name):
            return Path(record.project), record.stack
    except NotFoundError:
        pass
    except RecordError as error:
        damaged = error
    stack = project.stack_of(folder, name) or (name if name in project.stacks(folder) else None)
    if stack:
        return folder, stack
    if damaged and records.exists(name):
        mend = f"mctl refresh {name} in the folder of its project; mctl rm {name} forgets it here"
        raise RecordError(damaged.message, machine=name, mend=mend)
    raise records.missing(name)


def by_stack(names: Sequence[str]) -> list[list[str]]:
    """Group machines by the stack that each changes with. Raises NotFoundError for the first unknown one."""
    groups: dict[tuple[Path, str] | str, list[str]] = {}
    for name in names:
        try:
            where: tuple[Path, str] | str = locate(name)
        except (NotFoundError, RecordError):
            if not records.has_folder(name):
                raise
            where = name  # only a record is left of it
        groups.setdefault(where, []).append(name)
    return list(groups.values())


def declaration(name: str) -> tuple[Path, str, MachineSpec]:
    """Find a machine's project folder, stack and declaration. Raises NotFoundError, also for a stack's own name."""
    folder, stack = locate(name)
    declared = project.machines(folder, stack)
    if name not in declared:
        raise records.missing(name)
    return folder, stack, MachineSpec.from_config(name, declared[name])


def refuse_without_host(spec: MachineSpec) -> None:
    """Raise StackError for a machine of which the daemon's URL is all that is known."""
    if not drivers.load(spec.provider).has_host:
        raise StackError(
            f'there is no way to the host of machine "{spec.name}", a daemon known by its URL',
            machine=spec.name,
            mend="do it on the host itself",
        )


def refuse_taken(folder: Path, name: str, stack: str) -> None:
    """Raise NameTakenError where a machine has the name already, here or in another stack."""
    elsewhere = project.stack_of(folder, name)
    if elsewhere not in (None, stack):
        raise NameTakenError(
            f'machine "{name}" is declared in stack {elsewhere}',
            machine=name,
            mend=f"mctl create {name} --stack {elsewhere}",
        )
    if records.exists(name):
        raise NameTakenError(
            f'machine "{name}" already exists', machine=name, mend=f"choose another name, or remove it: mctl rm {name}"
        )


def _refuse_foreign(name: str) -> None:
    if records.is_foreign(name):
        raise NameTakenError(
            f'machine "{name}" already exists, made by docker-machine',
            machine=name,
            mend=f"choose another name, or take it over: mctl import {name}",
        )


def keep_records(opened: Stack, report: Report, *, partly: bool = False) -> list[Record]:
    """Write a record and a docker context for each machine that the stack has made, and forget those it has no more.

    What a machine had under its former name is forgotten only once there is the same under its new one. partly: after
    a run that failed, which says what was made and not what is gone.
    """
    kept = []
    stack, folder = opened.name, str(opened.folder)
    file = state_files.path(opened.folder, stack)
    state = file, records.changed(file)
    former = project.former_names(opened.folder, stack)
    for outputs in opened.made_so_far() if partly else opened.machines():
        formerly = former.pop(outputs["name"], "")
        record = records.save(outputs, stack=stack, project=folder, state=state, formerly=formerly)
        notice = docker_context.create_or_update(record, formerly)
        if notice:
            report(Progress(record.name, notice, notice=True))
        kept.append(record)
    if partly:
        return kept
    if project.swarm(opened.folder, stack):
        _point_at_manager(stack, kept, report)
    for gone in set(records.of_stack(stack, folder)) - {record.name for record in kept} - set(former.values()):
        forget(gone, report)
    return kept


def _point_at_manager(stack: str, kept: Sequence[Record], report: Report) -> None:
    """Give the Swarm a docker context that leads to a manager that is up, unless a machine has its name."""
    if any(record.name == stack for record in kept):
        return
    with suppress(HostError):  # none is: the context stays as it is
        notice = docker_context.create_or_update(swarm_nodes.manager_of(stack, kept), cluster=stack)
        if notice:
            report(Progress("", notice, notice=True))


def checked(folder: Path, spec: MachineSpec) -> MachineSpec:
    """Look whether a machine could be made, changing nothing, and give its declaration for the project in the folder.

    A file's path in the spec is absolute, or relative to the current folder. Raises PreCreateError and UsageError.
    """
    refusals.check(spec)
    driver = drivers.load(spec.provider)
    spec = bastion.check(provision.check(spec.with_files(_absolute)))
    if driver.closes and not spec.allow_cidrs:
        spec = replace(spec, allow_cidrs=(caller.cidr(spec.name),))
    if spec.zones and spec.options.get("zone") not in spec.zones:
        spec = replace(spec, options={**spec.options, "zone": spec.zones[0]})
    args = drivers.read_args(driver, spec.name, spec.options)
    for finding in driver.account(args) if driver.account else ():
        if finding.needed and not finding.ok:
            raise PreCreateError(f"{finding.name}: {finding.value}", machine=spec.name, mend=finding.mend or None)
    spec = driver.check(spec, args)
    return spec.with_files(lambda path: project.own_path(folder, path))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def await_docker(record: Record, report: Report) -> None:
    """Wait until the daemon answers through TLS. Raises HostError after START_SECONDS."""
    report(Progress(record.name, "Waiting for Docker"))
    end = time.monotonic() + START_SECONDS
    while not (state := probe(record, PROBE_SECONDS)).docker_version:
        if time.monotonic() > end:
            raise HostError(
                f"Docker did not answer within {START_SECONDS} s: {state.error}",
                machine=record.name,
                mend=f"mctl ssh {record.name} sudo journalctl -u docker",
            )
        time.sleep(POLL_SECONDS)
    _open_lock(record, report)


def _open_lock(record: Record, report: Report) -> None:
    """Unlock a manager that was restarted, where its Swarm locks them."""
    folder = Path(record.project)
    swarm = project.swarm(folder, record.stack) if record.swarm == MANAGER and record.running else None
    if swarm and swarm.autolock:
        swarm_nodes.unlock(record, Stack(folder, record.stack, report, read=True).swarm()["unlock_key"], report)


def _forget_removed(name: str) -> None:
    """Forget a machine whose project is there and declares it no more: it was removed by another hand."""
    with suppress(NotFoundError, RecordError):
        if Path(records.load(name).project, "Pulumi.yaml").is_file():
            forget(name, _silence)


def forget(name: str, report: Report) -> None:
    """Remove what this computer keeps of a machine: its record and its docker context."""
    _forget_context(name, report)
    records.remove(name)


def _forget_cluster(stack: str, report: Report) -> None:
    """Remove the docker context of a Swarm, unless it is that of a machine with the stack's name."""
    if not records.exists(stack):
        _forget_context(stack, report)


def _forget_context(name: str, report: Report) -> None:
    notice = docker_context.remove(name)
    if notice:
        report(Progress(name, notice, notice=True))


def _silence(_progress: Progress) -> None:
    return None
