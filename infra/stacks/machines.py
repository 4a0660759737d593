"""What can be done with machines by name: create, up, refresh, preview, switch on and off, remove.

What failed or was stopped half-way is gone on with by the same command, and `remove` leaves nothing.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from infra.components import bastion, drivers, provision
from infra.errors import HostError, NameTakenError, NotFoundError, RecordError, StackError
from infra.machine import MachineSpec
from infra.stacks import docker_context, program, project, records, state_files
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.ssh import ssh_command
from infra.stacks.states import probe
from infra.stacks.store import Change, Stack

START_SECONDS = 240  # a reboot under software emulation takes a minute
PROBE_SECONDS = 5
POLL_SECONDS = 0.3
REBOOT = 'if [ "$(id -u)" = 0 ]; then shutdown -r now; else sudo -n shutdown -r now; fi'
REBOOT_SECONDS = 5
SSH_CUT_OFF = 255  # what ssh gives when the host goes down under it


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
    _refuse_taken(folder, spec.name, stack)
    program.check(spec)
    driver = drivers.load(spec.provider)
    spec = bastion.check(provision.check(spec.with_files(_absolute)))
    spec = driver.check(spec, drivers.read_args(driver, spec.name, spec.options))
    spec = spec.with_files(lambda path: project.own_path(folder, path))
    opened = Stack(folder, stack, report, make=True)
    project.declare(folder, stack, spec)
    phases = opened.up(mend=f"mctl create {spec.name} … once more goes on from here; mctl rm {spec.name} clears it")
    made = {record.name: record for record in _keep_records(opened, report)}
    return Made(made[spec.name], phases.get(spec.name, {}))


def up(name: str, report: Report) -> list[Record]:
    """Bring a stack, named by itself or by a machine in it, to what it declares."""
    opened = Stack(*locate(name), report)
    opened.up(mend=f"mctl up {name}")
    return _keep_records(opened, report)


def refresh(name: str, report: Report) -> list[Record]:
    """Look at what is really there, and write the records anew."""
    opened = Stack(*locate(name), report)
    opened.refresh()
    return _keep_records(opened, report)


def preview(name: str, report: Report) -> list[Change]:
    """Say what an `up` would do, doing nothing."""
    return Stack(*locate(name), report).preview()


def set_running(name: str, *, running: bool, report: Report, hard: bool = False) -> Record:
    """Switch a machine on or off. hard: without asking the guest. Raises StackError where its provider can't."""
    folder, stack, spec = _declared(name)
    if not drivers.load(spec.provider).declares_power:
        verb = "start" if running else "kill" if hard else "stop"
        raise StackError(f"{spec.provider} driver does not support {verb}", machine=name)
    opened = Stack(folder, stack, report, variables={"MCTL_HARD_STOP": "1"} if hard else {})
    project.declare(folder, stack, replace(spec, running=running))
    opened.refresh()  # a VM that was switched off or on behind our back is not what the stack state says
    opened.up(mend=f"mctl {'start' if running else 'stop'} {name}")
    record = next(record for record in _keep_records(opened, report) if record.name == name)
    if running:
        _await_docker(record, report)
    return record


def restart(name: str, report: Report) -> Record:
    """Restart a machine: switched off and on where its provider can, else rebooted over SSH."""
    _, _, spec = _declared(name)
    if drivers.load(spec.provider).declares_power:
        set_running(name, running=False, report=report)
        return set_running(name, running=True, report=report)
    record = records.load(name)
    report(Progress(name, "Rebooting"))
    asked = subprocess.run([*ssh_command(record), REBOOT], check=False, capture_output=True, text=True)
    if asked.returncode not in (0, SSH_CUT_OFF):
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise HostError(f"the host can't be rebooted: {said}", machine=name, mend=f"mctl ssh {name} sudo reboot")
    time.sleep(REBOOT_SECONDS)  # until then the old system may still answer
    _await_docker(record, report)
    return record


def remove(name: str, report: Report) -> None:
    """Remove a machine with all that was made for it: host, disk, stack entry, context and record.

    Raises NotFoundError where neither a record nor a declaration has the name.
    """
    try:
        folder, stack = locate(name)
    except NotFoundError:
        if not records.exists(name):
            raise
        _forget(name, report)
        return
    declared = project.machines(folder, stack)
    if declared and name not in declared:
        raise _unknown(name)  # it is the name of a stack
    others = [machine for machine in declared if machine != name]
    whole = not others and project.is_ours_alone(folder, stack)
    with suppress(NotFoundError):  # declared, but never made
        opened = Stack(folder, stack, report)
        opened.settle()
        opened.destroy(name if others else "")
        if whole:
            opened.delete()
        else:
            project.withdraw(folder, stack, name)
            _keep_records(opened, report)  # the stack state has changed for the others too
    if whole:
        project.discard(folder, stack)
    else:
        project.withdraw(folder, stack, name)
    _forget(name, report)


def rebuild(name: str) -> Record:
    """Write a machine's record anew from the outputs of the stack that declares it. Raises NotFoundError."""
    try:
        folder, stack = locate(name)
    except NotFoundError:
        _forget_removed(name)
        raise
    for record in _keep_records(Stack(folder, stack, _silence), _silence):
        if record.name == name:
            return record
    raise NotFoundError(
        f'machine "{name}" is declared in stack {stack} but not made yet', machine=name, mend=f"mctl up {stack}"
    )


def locate(name: str) -> tuple[Path, str]:
    """Find the project folder and the stack of a machine, or of a stack's own name. Raises NotFoundError."""
    folder = project.find_project()
    with suppress(NotFoundError, RecordError):
        record = records.load(name)
        if project.declares(Path(record.project), record.stack, name):
            return Path(record.project), record.stack
    stack = project.stack_of(folder, name) or (name if name in project.stacks(folder) else None)
    if stack is None:
        raise _unknown(name)
    return folder, stack


def _declared(name: str) -> tuple[Path, str, MachineSpec]:
    """Find a machine's project folder, stack and declaration. Raises NotFoundError, also for a stack's own name."""
    folder, stack = locate(name)
    declared = project.machines(folder, stack)
    if name not in declared:
        raise _unknown(name)
    return folder, stack, MachineSpec.from_config(name, declared[name])


def _unknown(name: str) -> NotFoundError:
    return NotFoundError(f'machine "{name}" does not exist', machine=name, mend=f"mctl ls, or mctl create {name}")


def _refuse_taken(folder: Path, name: str, stack: str) -> None:
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


def _keep_records(opened: Stack, report: Report) -> list[Record]:
    """Write a record and a docker context for each machine that the stack has made, and forget those it has no more."""
    kept = []
    stack, folder = opened.name, str(opened.folder)
    file = state_files.path(opened.folder, stack)
    state = file, records.changed(file)
    for outputs in opened.machines():
        record = records.save(outputs, stack=stack, project=folder, state=state)
        notice = docker_context.create_or_update(record)
        if notice:
            report(Progress(record.name, notice, notice=True))
        kept.append(record)
    for gone in set(records.of_stack(stack, folder)) - {record.name for record in kept}:
        _forget(gone, report)
    return kept


def _absolute(path: str) -> str:
    return str(Path(path).expanduser().absolute())


def _await_docker(record: Record, report: Report) -> None:
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
