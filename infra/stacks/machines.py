"""What can be done with machines by name: create, up, refresh, preview, switch on and off, remove.

What failed or was stopped half-way is gone on with by the same command, and `remove` leaves nothing.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.components import bastion, drivers, provision
from infra.components.ssh_command import SSH_FAILED
from infra.errors import AlreadyError, HostError, NameTakenError, NotFoundError, RecordError, StackError
from infra.machine import MachineSpec
from infra.stacks import docker_context, program, project, records, state_files
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.ssh import ssh_command
from infra.stacks.states import STOPPED, probe
from infra.stacks.store import Change, Stack

START_SECONDS = 240  # a reboot under software emulation takes a minute
PROBE_SECONDS = 5
POLL_SECONDS = 0.3
REBOOT = 'if [ "$(id -u)" = 0 ]; then shutdown -r now; else sudo -n shutdown -r now; fi'
REBOOT_SECONDS = 5


@dataclass(frozen=True)
class Made:
    """What a create made: the record, and the seconds that its phases (boot, install, configure) took."""

    record: Record
    phases: Mapping[str, float]


def create(spec: MachineSpec, stack: str, report: Report) -> Made:
    """Make a machine, or go on with one whose making was stopped.

    Raises NameTakenError for a machine that is there, PreCreateError before anything is made, StackError after.
    """
    folder = project.find_project()
    refuse_taken(folder, spec.name, stack)
    _refuse_foreign(spec.name)
    spec = checked(folder, spec)
    opened = Stack(folder, stack, report, make=True)
    project.declare(folder, stack, spec)
    records.begin(spec.name, provider=spec.provider, stack=stack, project=str(folder))
    phases = opened.up(mend=f"mctl create {spec.name} … once more goes on from here; mctl rm {spec.name} clears it")
    made = {record.name: record for record in keep_records(opened, report)}
    return Made(made[spec.name], phases.get(spec.name, {}))


def up(name: str, report: Report) -> list[Record]:
    """Bring a stack, named by itself or by a machine in it, to what it declares."""
    opened = Stack(*locate(name), report)
    opened.up(mend=f"mctl up {name}")
    kept = keep_records(opened, report)
    project.forget_former_names(opened.folder, opened.name)
    return kept


def refresh(name: str, report: Report) -> list[Record]:
    """Look at what is really there, and write the records anew."""
    opened = Stack(*locate(name), report)
    opened.refresh()
    return keep_records(opened, report)


def preview(name: str, report: Report) -> list[Change]:
    """Say what an `up` would do, doing nothing."""
    return Stack(*locate(name), report, read=True).preview()


def set_running(name: str, *, running: bool, report: Report, hard: bool = False) -> Record:
    """Switch a machine on or off. hard: without asking the guest.

    Raises StackError where its provider can't, and AlreadyError where the record and the machine itself say that there
    is nothing to do.
    """
    folder, stack, spec = declaration(name)
    if not drivers.load(spec.provider).declares_power:
        verb = "start" if running else "kill" if hard else "stop"
        raise StackError(f"{spec.provider} driver does not support {verb}", machine=name)
    if spec.running == running and _is_already(name, running=running):
        raise AlreadyError(f'Machine "{name}" is already {"running" if running else "stopped"}.', machine=name)
    return _switch((folder, stack, spec), running=running, report=report, hard=hard)


def _switch(declared: tuple[Path, str, MachineSpec], *, running: bool, report: Report, hard: bool = False) -> Record:
    folder, stack, spec = declared
    name = spec.name
    opened = Stack(folder, stack, report, variables={"MCTL_HARD_STOP": "1"} if hard else {})
    project.declare(folder, stack, replace(spec, running=running))
    opened.refresh()  # a VM that was switched off or on behind our back is not what the stack state says
    opened.up(mend=f"mctl {'start' if running else 'stop'} {name}")
    record = next(record for record in keep_records(opened, report) if record.name == name)
    if running:
        await_docker(record, report)
    return record


def restart(name: str, report: Report) -> Record:
    """Restart a machine: switched off and on where its provider can, else rebooted over SSH."""
    declared = declaration(name)
    if drivers.load(declared[-1].provider).declares_power:
        _switch(declared, running=False, report=report)
        return _switch(declared, running=True, report=report)
    record = records.load(name)
    report(Progress(name, "Rebooting"))
    asked = subprocess.run([*ssh_command(record), REBOOT], check=False, capture_output=True, text=True)
    if asked.returncode not in (0, SSH_FAILED):  # which is also how it ends when the host goes down under it
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise HostError(f"the host can't be rebooted: {said}", machine=name, mend=f"mctl ssh {name} sudo reboot")
    time.sleep(REBOOT_SECONDS)  # until then the old system may still answer
    await_docker(record, report)
    return record


def remove(name: str, report: Report) -> None:
    """Remove a machine with all that was made for it: host, disk, stack entry, context and record.

    Raises NotFoundError where neither a record nor a declaration has the name.
    """
    try:
        folder, stack = locate(name)
    except (NotFoundError, RecordError):
        if not records.has_folder(name):
            raise
        _forget(name, report)
        return
    declared = project.machines(folder, stack)
    if declared and name not in declared:
        raise records.missing(name)  # it is the name of a stack
    others = [machine for machine in declared if machine != name]
    whole = not others and project.is_ours_alone(folder, stack)
    opened = None
    with suppress(NotFoundError):  # declared, but never made
        opened = Stack(folder, stack, report)
        opened.settle()
        opened.destroy(*(_names(name, declared) if others else ()))
    if whole:
        if opened:
            opened.delete()
        project.discard(folder, stack)
    else:
        project.withdraw(folder, stack, name)
        if opened:
            keep_records(opened, report)  # the stack state has changed for the others too
    _forget(name, report)


def _names(name: str, declared: Mapping[str, Any]) -> list[str]:
    """Give every name that a machine may have in the stack state: also the one before, where a rename was stopped."""
    return [name, *filter(None, [declared[name].get("formerly")])]


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


def keep_records(opened: Stack, report: Report) -> list[Record]:
    """Write a record and a docker context for each machine that the stack has made, and forget those it has no more.

    What a machine had under its former name is forgotten only once there is the same under its new one.
    """
    kept = []
    stack, folder = opened.name, str(opened.folder)
    file = state_files.path(opened.folder, stack)
    state = file, records.changed(file)
    former = project.former_names(opened.folder, stack)
    for outputs in opened.machines():
        formerly = former.pop(outputs["name"], "")
        record = records.save(outputs, stack=stack, project=folder, state=state, formerly=formerly)
        notice = docker_context.create_or_update(record, formerly)
        if notice:
            report(Progress(record.name, notice, notice=True))
        kept.append(record)
    for gone in set(records.of_stack(stack, folder)) - {record.name for record in kept} - set(former.values()):
        _forget(gone, report)
    return kept


def checked(folder: Path, spec: MachineSpec) -> MachineSpec:
    """Look whether a machine could be made, changing nothing, and give its declaration for the project in the folder.

    A file's path in the spec is absolute, or relative to the current folder. Raises PreCreateError and UsageError.
    """
    program.check(spec)
    driver = drivers.load(spec.provider)
    spec = bastion.check(provision.check(spec.with_files(_absolute)))
    spec = driver.check(spec, drivers.read_args(driver, spec.name, spec.options))
    return spec.with_files(lambda path: project.own_path(folder, path))


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _is_already(name: str, *, running: bool) -> bool:
    """Tell whether a machine is switched on, Docker included, or off, as its record says; False where in doubt."""
    try:
        record = records.load(name)
    except (NotFoundError, RecordError):
        return False
    if record.is_old or record.running != running:
        return False
    record.running = True  # else a host that gives no answer would count as switched off
    state = probe(record, PROBE_SECONDS)
    return bool(state.docker_version) if running else state.word == STOPPED


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


def _forget_removed(name: str) -> None:
    """Forget a machine whose project is there and declares it no more: it was removed by another hand."""
    with suppress(NotFoundError, RecordError):
        if Path(records.load(name).project, "Pulumi.yaml").is_file():
            _forget(name, _silence)


def _forget(name: str, report: Report) -> None:
    notice = docker_context.remove(name)
    if notice:
        report(Progress(name, notice, notice=True))
    records.remove(name)


def _silence(_progress: Progress) -> None:
    return None
