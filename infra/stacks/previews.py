"""What an `up` would do to a stack, machine by machine, and what is otherwise than it was made. No lock is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from infra.components import refusals
from infra.errors import MctlError, NotFoundError
from infra.machine import MachineSpec
from infra.stacks import checks, effects, mistakes, prices, project
from infra.stacks.effects import Effect
from infra.stacks.machines import locate
from infra.stacks.progress import MACHINE, Report, owner
from infra.stacks.steps import Change, Drift
from infra.stacks.store import Stack


@dataclass(frozen=True)
class Touched:
    """One machine that an `up` would touch, or that is otherwise than when it was made.

    name: empty for what the machines of a stack share. action: create, update, restart, replace, delete, or nothing.
    effect: the same, in the words of someone who has containers on it. price: by how much more it costs, or less, in US
    dollars a month, where that is known.
    """

    name: str
    action: str
    effect: str
    resources: tuple[Change, ...]
    drift: tuple[Drift, ...] = ()
    price: float | None = None

    @property
    def reasons(self) -> list[str]:
        """Name the properties for which what weighs most is done; where nothing is done, say what is otherwise."""
        weighty = [change for change in self.resources if change.op == "replace"] or self.resources
        named = [reason for change in weighty for reason in change.reasons]
        return list(dict.fromkeys(named if weighty else (found.what for found in self.drift)))


@dataclass(frozen=True)
class Preview:
    """What would become of one stack.

    unchanged: how many machines stay as they are. error: why nothing is known. mend: the commands that mend that, or
    what is otherwise than declared.
    """

    stack: str
    machines: tuple[Touched, ...] = ()
    unchanged: int = 0
    error: str | None = None
    mend: str | None = None

    @classmethod
    def failed(cls, stack: str, error: MctlError) -> Preview:
        """Keep a failure beside the other stacks' previews."""
        return cls(stack, error=error.message, mend=error.mend)

    @property
    def price(self) -> float | None:
        """Sum up, in US dollars a month, by how much more its machines cost; None where of none that is known."""
        known = [machine.price for machine in self.machines if machine.price is not None]
        return sum(known) if known else None

    def to_json(self) -> dict[str, Any]:
        """Write it as plain values."""
        plain = asdict(self, dict_factory=lambda pairs: {key: value for key, value in pairs if key != "before"})
        return plain | {"price": self.price}


def preview(name: str, report: Report) -> Preview:
    """Say what an `up` would do to a stack, named by itself or by a machine in it."""
    folder, stack = locate(name)
    try:
        changes: Sequence[Change] = Stack(folder, stack, report, read=True).preview()
    except NotFoundError:
        changes = unmade(folder, stack)
    return _by_machine(stack, project.machines(folder, stack), changes)


def unmade(folder: Path, stack: str) -> list[Change]:
    """Say what an `up` would do to a stack that is declared and was never made: which machines it makes.

    Raises NotFoundError where nothing is declared, UsageError where that can't mean anything.
    """
    mistakes.check(folder, stack)
    declared = project.machines(folder, stack)
    if not declared:
        raise NotFoundError(f"stack {stack} does not exist", mend=f"mctl ls, or mctl create {stack}")
    with project.named(folder, stack):
        for name, entry in declared.items():
            refusals.check(MachineSpec.from_config(name, entry))
    return [Change(name, MACHINE, "create", ()) for name in declared]


def drift(name: str, report: Report) -> Preview:
    """Say what in the world is otherwise than a stack made it, and what an `up` would do about it."""
    folder, stack = locate(name)
    in_world: Sequence[Drift] = ()
    try:
        changes, in_world = Stack(folder, stack, report, read=True).drift()
    except NotFoundError:
        changes = unmade(folder, stack)
    declared = project.machines(folder, stack)
    new = (change.resource for change in changes if change.op == "create" and _is_machine(change))
    absent = {owner(resource, declared) for resource in new}
    on_hosts = [found for machine in declared if machine not in absent for found in _on_host(machine, report)]
    found = _by_machine(stack, declared, changes, [*in_world, *on_hosts])
    return replace(found, mend=_mend(stack, changes, in_world, on_hosts))


def _is_machine(change: Change) -> bool:
    return change.kind == MACHINE or bool(effects.VM.search(change.kind))


def _on_host(machine: str, report: Report) -> list[Drift]:
    try:
        amiss = checks.amiss(machine, report)
    except NotFoundError:  # what was never made whole is among the changes
        return []
    return [Drift(machine, "host", f"{finding.name}: {finding.value}", finding.mend) for finding in amiss]


def _mend(stack: str, changes: Sequence[Change], in_world: Sequence[Drift], on_hosts: Sequence[Drift]) -> str | None:
    """Give the commands that mend what no finding on a host has its own for."""
    if changes:
        return f"mctl refresh {stack}, then mctl up {stack}" if in_world else f"mctl up {stack}"
    return f"mctl refresh {stack}" if in_world and not on_hosts else None


def _by_machine(
    stack: str, declared: Mapping[str, Any], changes: Sequence[Change], drifted: Sequence[Drift] = ()
) -> Preview:
    gone = [change.resource for change in changes if change.kind == MACHINE and change.op == "delete"]
    known = [*declared, *gone]
    found = effects.of(changes, declared)
    costs = prices.differences(changes, declared, known)
    resources = [*(change.resource for change in changes), *(drift.resource for drift in drifted)]
    names = sorted({owner(resource, known) for resource in resources}, key=["", *known].index)
    touched = (_touched(name, known, found.get(name), changes, drifted) for name in names)
    return Preview(
        stack,
        tuple(replace(machine, price=costs.get(machine.name)) for machine in touched),
        len(set(declared) - set(names)),
    )


def _touched(
    name: str, known: Sequence[str], effect: Effect | None, changes: Sequence[Change], drifted: Sequence[Drift]
) -> Touched:
    resources = tuple(change for change in changes if owner(change.resource, known) == name)
    effect = effect or (Effect.IN_PLACE if resources else None)
    return Touched(
        name,
        effect.action if effect else "",
        effect.text if effect else "",
        resources,
        tuple(drift for drift in drifted if owner(drift.resource, known) == name),
    )
