"""What an `up` would do to a stack, machine by machine, and what is otherwise than it was made. No lock is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infra.errors import MctlError, NotFoundError
from infra.stacks import checks, effects, project, records
from infra.stacks.effects import Effect
from infra.stacks.machines import locate
from infra.stacks.progress import MACHINE, Report, owner
from infra.stacks.steps import Change, Drift
from infra.stacks.store import Stack


@dataclass(frozen=True)
class Touched:
    """One machine that an `up` would touch, or that is otherwise than when it was made.

    name: empty for what the machines of a stack share. action: create, update, restart, replace, delete, or nothing.
    effect: the same, in the words of someone who has containers on it.
    """

    name: str
    action: str
    effect: str
    resources: tuple[Change, ...]
    drift: tuple[Drift, ...] = ()

    @property
    def reasons(self) -> list[str]:
        """Name the properties for which what weighs most is done."""
        weighty = [change for change in self.resources if change.op == "replace"] or self.resources
        return list(dict.fromkeys(reason for change in weighty for reason in change.reasons))


@dataclass(frozen=True)
class Preview:
    """What would become of one stack. unchanged: how many machines stay as they are. error: why nothing is known."""

    stack: str
    machines: tuple[Touched, ...] = ()
    unchanged: int = 0
    error: str | None = None
    mend: str | None = None

    @classmethod
    def failed(cls, stack: str, error: MctlError) -> Preview:
        """Keep a failure beside the other stacks' previews."""
        return cls(stack, error=error.message, mend=error.mend)

    def to_json(self) -> dict[str, Any]:
        """Write it as plain values."""
        return asdict(self)


def preview(name: str, report: Report) -> Preview:
    """Say what an `up` would do to a stack, named by itself or by a machine in it."""
    folder, stack = locate(name)
    declared = project.machines(folder, stack)
    try:
        changes: Sequence[Change] = Stack(folder, stack, report, read=True).preview()
    except NotFoundError:
        if not declared:
            raise
        changes = [Change(machine, MACHINE, "create", ()) for machine in declared]  # and not made yet
    return _by_machine(stack, declared, changes)


def drift(name: str, report: Report) -> Preview:
    """Say what in the world is otherwise than a stack made it, and what an `up` would do about it."""
    folder, stack = locate(name)
    changes, drifted = Stack(folder, stack, report, read=True).drift()
    declared = project.machines(folder, stack)
    seen = {owner(found.resource, declared) for found in drifted}
    for machine in declared:
        if machine not in seen and records.exists(machine):  # what is gone, or off, answers nothing
            drifted += [
                Drift(machine, "host", f"{finding.name}: {finding.value}", finding.mend)
                for finding in checks.amiss(machine, report)
            ]
    return _by_machine(stack, declared, changes, drifted)


def _by_machine(
    stack: str, declared: Mapping[str, Any], changes: Sequence[Change], drifted: Sequence[Drift] = ()
) -> Preview:
    gone = [change.resource for change in changes if change.kind == MACHINE and change.op == "delete"]
    known = [*declared, *gone]
    found = effects.of(changes, declared)
    resources = [*(change.resource for change in changes), *(drift.resource for drift in drifted)]
    names = sorted({owner(resource, known) for resource in resources}, key=["", *known].index)
    touched = tuple(_touched(name, known, found, changes, drifted) for name in names)
    return Preview(stack, touched, len(set(declared) - set(names)))


def _touched(
    name: str, known: Sequence[str], found: Mapping[str, Effect], changes: Sequence[Change], drifted: Sequence[Drift]
) -> Touched:
    resources = tuple(change for change in changes if owner(change.resource, known) == name)
    effect = found.get(name, Effect.IN_PLACE) if resources else None
    return Touched(
        name,
        effect.action if effect else "",
        effect.text if effect else "",
        resources,
        tuple(drift for drift in drifted if owner(drift.resource, known) == name),
    )
