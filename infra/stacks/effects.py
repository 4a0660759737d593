"""What the changes of a preview mean for each machine, in the words of someone who has containers on it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from infra.stacks.progress import owner
from infra.stacks.store import MACHINE, Change

# What takes a restart of a VM, by its type: see infra/plugins/hypervisor/inputs.py.
RESTARTING = {"hypervisor:index:VirtualMachine": {"cpus", "memory", "disk", "forwards"}}
IN_STATE_ALONE = ("tls:", "mctl:", "pulumi:")  # what the machine learns of these it learns by a command


class Effect(IntEnum):
    """From what nobody notices to what costs data."""

    IN_PLACE = 1
    ENGINE = 2
    MAKE = 3
    RESTART = 4
    REPLACE = 5
    REMOVE = 6

    @property
    def text(self) -> str:
        """Say it."""
        return TEXTS[self]

    @property
    def asks(self) -> bool:
        """Tell what takes a yes."""
        return self >= Effect.ENGINE

    @property
    def loses_data(self) -> bool:
        """Tell what can't be undone."""
        return self >= Effect.REPLACE


TEXTS = {
    Effect.IN_PLACE: "in place",
    Effect.ENGINE: "restarts the engine (containers keep running)",
    Effect.MAKE: "makes the machine",
    Effect.RESTART: "restarts the VM",
    Effect.REPLACE: "replaces the VM (its data is lost)",
    Effect.REMOVE: "removes the machine (its data is lost)",
}


def of(changes: Sequence[Change], machines: Iterable[str]) -> dict[str, Effect]:
    """Give the weightiest effect on each machine that a change touches. machines: those that are declared."""
    found: dict[str, Effect] = {}
    gone = [change.resource for change in changes if change.kind == MACHINE and change.op == "delete"]
    known = [*machines, *gone]
    for change in changes:
        machine = owner(change.resource, known)
        if machine:
            found[machine] = max(_effect(change), found.get(machine, Effect.IN_PLACE))
    return found


def _effect(change: Change) -> Effect:
    if change.kind == MACHINE:
        return {"create": Effect.MAKE, "delete": Effect.REMOVE}.get(change.op, Effect.IN_PLACE)
    if change.kind.startswith(IN_STATE_ALONE):
        return Effect.IN_PLACE
    if change.kind.startswith("command:"):
        restarts = change.op == "update" and change.resource.endswith(("-install", "-configure"))
        return Effect.ENGINE if restarts else Effect.IN_PLACE
    if change.op == "update" and set(change.why).isdisjoint(RESTARTING.get(change.kind, change.why)):
        return Effect.IN_PLACE
    return {"update": Effect.RESTART, "create": Effect.MAKE}.get(change.op, Effect.REPLACE)
