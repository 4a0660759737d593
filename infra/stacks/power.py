"""Machines switched on and off: by an `up` where the provider lets power be declared, else by its API.

Whatever the address is afterwards goes into certificate, record and context in the same run.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path

from infra.components import drivers
from infra.components.drivers import Power
from infra.components.ssh_command import SSH_FAILED
from infra.errors import AlreadyError, HostError, NotFoundError, RecordError, StackError
from infra.machine import HARD_STOP, MachineSpec
from infra.stacks import project, records
from infra.stacks.machines import PROBE_SECONDS, await_docker, declaration, keep_records
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.ssh import ssh_command
from infra.stacks.states import STOPPED, probe
from infra.stacks.store import Stack

REBOOT = 'if [ "$(id -u)" = 0 ]; then shutdown -r now; else sudo -n shutdown -r now; fi'
REBOOT_SECONDS = 5


def set_running(name: str, *, running: bool, report: Report, hard: bool = False) -> Record:
    """Switch a machine on or off. hard: without asking the guest.

    Raises StackError where its provider can't, and AlreadyError where the record and the machine itself say that there
    is nothing to do.
    """
    folder, stack, spec = declaration(name)
    _refuse_driverless(spec, "started" if running else "killed" if hard else "stopped")
    if not drivers.load(spec.provider).switches:
        verb = "start" if running else "kill" if hard else "stop"
        raise StackError(f"{spec.provider} driver does not support {verb}", machine=name)
    if spec.running == running and _is_already(name, running=running):
        raise AlreadyError(f'Machine "{name}" is already {"running" if running else "stopped"}.', machine=name)
    return _switch((folder, stack, spec), running=running, report=report, hard=hard)


def _switch(declared: tuple[Path, str, MachineSpec], *, running: bool, report: Report, hard: bool = False) -> Record:
    folder, stack, spec = declared
    name = spec.name
    opened = Stack(folder, stack, report)
    with _hard() if hard else nullcontext():
        _at_provider(spec, Power.START if running else Power.KILL if hard else Power.STOP, report)
        project.declare(folder, stack, replace(spec, running=running))
        opened.refresh()  # a VM that was switched off or on behind our back is not what the stack state says
        opened.up(mend=f"mctl {'start' if running else 'stop'} {name}")
    record = next(record for record in keep_records(opened, report) if record.name == name)
    if running:
        await_docker(record, report)
    return record


@contextmanager
def _hard() -> Iterator[None]:
    """Have drivers and plugins ask no guest; they know by the environment, which both see."""
    os.environ[HARD_STOP] = "1"
    try:
        yield
    finally:
        del os.environ[HARD_STOP]


def _at_provider(spec: MachineSpec, power: Power, report: Report) -> None:
    """Switch where a declaration can't. Raises HostError, and NotFoundError for one that is gone and is to be off."""
    driver = drivers.load(spec.provider)
    if not driver.power:
        return
    report(Progress(spec.name, f"Asking {driver.name} to {power.value} it"))
    instance = records.load(spec.name).instance_id
    try:
        driver.power(drivers.read_args(driver, spec.name, spec.options), instance, power)
    except NotFoundError:
        if power is not Power.START:  # else the `up` that follows makes it again
            raise


def _refuse_driverless(spec: MachineSpec, done: str) -> None:
    """Raise StackError, in docker-machine's words, for a machine of which a daemon's URL is all that is known."""
    if not drivers.load(spec.provider).has_host:
        raise StackError(f"hosts without a driver cannot be {done}", machine=spec.name)


def restart(name: str, report: Report) -> Record:
    """Restart a machine: on this computer switched off and on, else rebooted over SSH, which keeps its address."""
    declared = declaration(name)
    _refuse_driverless(declared[-1], "restarted")
    if drivers.load(declared[-1].provider).is_local:
        _switch(declared, running=False, report=report)
        return _switch(declared, running=True, report=report)
    record = records.load(name)
    if not record.running and drivers.load(record.provider).switches:
        return _switch(declared, running=True, report=report)
    report(Progress(name, "Rebooting"))
    asked = subprocess.run([*ssh_command(record), REBOOT], check=False, capture_output=True, text=True)
    if asked.returncode not in (0, SSH_FAILED):  # which is also how it ends when the host goes down under it
        said = asked.stderr.strip() or f"exit code {asked.returncode}"
        raise HostError(f"the host can't be rebooted: {said}", machine=name, mend=f"mctl ssh {name} sudo reboot")
    time.sleep(REBOOT_SECONDS)  # until then the old system may still answer
    await_docker(record, report)
    return record


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
