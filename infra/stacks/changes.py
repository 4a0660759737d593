"""Machines changed in place: other settings, another name, another engine, or the same once more.

Whatever is stopped half-way is gone on with by the same command.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.components import drivers
from infra.components.engine import version_in
from infra.components.engine_scripts.configure import PORT
from infra.components.engine_scripts.upgrade import upgrade as upgrade_script
from infra.errors import AlreadyError, NameTakenError, NotFoundError, StackError
from infra.machine import EngineSpec, MachineSpec, check_name
from infra.stacks import effects, host_scripts, project, records, swarm_nodes
from infra.stacks.effects import Effect
from infra.stacks.machines import await_docker, checked, declaration, keep_records, locate, refuse_without_host
from infra.stacks.power import set_running
from infra.stacks.progress import Report
from infra.stacks.records import Record
from infra.stacks.store import AGAIN, Stack


@dataclass(frozen=True)
class Settings:
    """What is to be different, by field name; a list that is given replaces the one before."""

    engine: Mapping[str, Any]
    machine: Mapping[str, Any]
    options: Mapping[str, Any]


@dataclass(frozen=True)
class Plan:
    """A change that was looked at and not made yet.

    before, spec: the machine as it was declared then, and as it will be. effects: on each machine of the stack that the
    change touches.
    """

    folder: Path
    stack: str
    before: MachineSpec
    spec: MachineSpec
    effects: Mapping[str, Effect]

    @property
    def is_new(self) -> bool:
        """Tell whether the declaration will differ."""
        return self.spec != self.before


def plan(name: str, settings: Settings, report: Report) -> Plan:
    """Say what other settings would do, changing nothing. Raises UsageError or PreCreateError for what can't be."""
    folder, stack, before = declaration(name)
    here = before.with_files(lambda path: str(folder / path))
    spec = replace(
        here,
        engine=replace(before.engine, **settings.engine),
        options={key: value for key, value in {**before.options, **settings.options}.items() if value not in ("", [])},
        **settings.machine,
    )
    _refuse_adopted(before, settings)
    spec = checked(folder, spec)
    changes = Stack(folder, stack, report).preview({name: spec})
    found = effects.of(changes, project.machines(folder, stack))
    return Plan(folder, stack, before, spec, found)


def apply(planned: Plan, report: Report) -> None:
    """Make the change, and wait for Docker. Raises StackError where another run has declared the machine anew since."""
    spec = planned.spec
    opened = Stack(planned.folder, planned.stack, report)
    if declaration(spec.name) != (planned.folder, planned.stack, planned.before):
        raise StackError("another run has changed its declaration since this one asked", machine=spec.name, mend=AGAIN)
    project.declare(planned.folder, planned.stack, spec)
    opened.up(mend=f"mctl up {spec.name}")
    for record in keep_records(opened, report):
        if record.name == spec.name and record.running:
            await_docker(record, report)


def provision(name: str, report: Report, version: str = "") -> Record:
    """Install and configure the engine once more, as declared. Raises StackError for a machine that is switched off.

    version: a prefix that is declared from now on, or nothing.
    """
    folder, stack, spec = declaration(name)
    _refuse_adopted(spec)
    if not spec.running:
        raise StackError(f'machine "{name}" is not running', machine=name, mend=f"mctl start {name}")
    opened = Stack(folder, stack, report)
    if version:
        now = declaration(name)[-1]  # by now nobody else changes it
        project.declare(folder, stack, replace(now, engine=replace(now.engine, version=version)))
    opened.up(mend=f"mctl provision {name}", renew=[f"{name}-install", f"{name}-configure"])
    record = next(record for record in keep_records(opened, report) if record.name == name)
    await_docker(record, report)
    return record


def upgrade(name: str, version: str, report: Report) -> Record:
    """Bring a machine's engine to the newest version that is declared, or to one that is declared from now on.

    version: a prefix, or nothing. A machine that is switched off is started first. Raises AlreadyError where there is
    nothing newer, HostError where the new engine does not come up: the old one runs again, and is declared as before.
    """
    folder, stack, before = declaration(name)
    _refuse_adopted(before)
    if before.engine.install == "none":
        raise StackError(
            "its engine was installed by someone else (--engine-install none)",
            machine=name,
            mend=f"upgrade it on the host, or hand it over: mctl set {name} --engine-install auto",
        )
    engine = replace(before.engine, version=version or before.engine.version)
    if not before.running:
        set_running(name, running=True, report=report)
    is_node = project.swarm(folder, stack) is not None
    moves = is_node and "newer: no" not in _on_host(before, engine, report, look=True).splitlines()
    with swarm_nodes.drained(folder, stack, name, report) if moves else nullcontext():
        return _upgrade(before, engine, version, report)


def _upgrade(before: MachineSpec, engine: EngineSpec, version: str, report: Report) -> Record:
    name, record = before.name, records.load(before.name)
    now = version_in(_on_host(before, engine, report))
    already = AlreadyError(f'Machine "{name}" has Docker {now} already, the newest.', machine=name)
    is_newer, is_pinned_anew = now != record.engine_version, engine != before.engine
    if not is_newer and not is_pinned_anew:
        raise already
    provisioned = provision(name, report, version)
    if not is_newer:
        raise already
    return provisioned


def _on_host(before: MachineSpec, engine: EngineSpec, report: Report, *, look: bool = False) -> str:
    args = drivers.read_args(drivers.load(before.provider), before.name, before.options)
    script = upgrade_script(engine, before.name, getattr(args, "engine_port", PORT), look=look)
    return host_scripts.run(records.load(before.name), script, report, mend=f"mctl upgrade {before.name}")


def rename(old: str, new: str, report: Report) -> Record:
    """Give a machine another name, and its certificate, record and context too. Its stack keeps the name that it has.

    Raises NameTakenError, and UsageError for what can't be a name.
    """
    check_name(new)
    begun = _renamed_before(old, new)
    folder, stack = begun or _to_be_renamed(old, new)
    opened = Stack(folder, stack, report)
    if not begun:
        _to_be_renamed(old, new)  # once more: another run may have been first
        project.rename(folder, stack, old, new)
    opened.up(mend=f"mctl rename {old} {new}")
    record = next(record for record in keep_records(opened, report) if record.name == new)
    if record.running:
        await_docker(record, report)
    project.forget_former_names(folder, stack)  # until then the same command goes on
    return record


def _to_be_renamed(old: str, new: str) -> tuple[Path, str]:
    """Find the stack of a machine that may have the new name."""
    folder, stack, spec = declaration(old)
    if records.exists(new) or project.stack_of(folder, new):
        raise NameTakenError(
            f'machine "{new}" already exists', machine=new, mend=f"choose another name, or remove it: mctl rm {new}"
        )
    group = project.group_of(folder, stack, old)
    if group:
        raise StackError(
            f'machine "{old}" is one of the group {group.name}, whose names are numbers',
            machine=old,
            mend=f"make another: mctl create {new}",
        )
    if spec.formerly:
        raise StackError(
            f'machine "{old}" is still being renamed from "{spec.formerly}"',
            machine=old,
            mend=f"mctl rename {spec.formerly} {old}",
        )
    return folder, stack


def _renamed_before(old: str, new: str) -> tuple[Path, str] | None:
    """Find the stack where the same rename was stopped."""
    with suppress(NotFoundError):
        folder, stack = locate(new)
        entry = project.machines(folder, stack).get(new) or {}
        if entry.get("formerly") == old:
            return folder, stack
    return None


def _refuse_adopted(spec: MachineSpec, settings: Settings | None = None) -> None:
    if settings is None:
        refuse_without_host(spec)
    if spec.adopted and (settings is None or settings.engine or settings.machine):
        raise StackError(
            "its engine is still as someone else configured it",
            machine=spec.name,
            mend=f"let mctl configure it: mctl regenerate-certs {spec.name}",
        )
