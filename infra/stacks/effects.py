"""What the changes of a preview mean for each machine, in the words of someone who has containers on it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import Any

from infra.stacks.progress import MACHINE, owner
from infra.stacks.steps import Change

# What takes a restart of a VM, by its type: see infra/plugins/hypervisor/inputs.py. Of others, what is known to take
# none: some of what is left is changed in place too, but a warning too many loses nothing.
VM = re.compile(r":(Instance|ComputeInstance|Droplet|VirtualMachine|VirtualGuest|\w*Vm)$")
RESTARTING = {"hypervisor:index:VirtualMachine": {"cpus", "memory", "disk", "forwards", "shares"}}
HARMLESS = {"tags", "tagsAll", "volumeTags", "labels", "metadata", "name", "displayName", "monitoring", "description"}
HARMLESS |= {"vpcSecurityGroupIds", "securityGroups", "securityGroupIds", "deletionProtection"}
IN_STATE_ALONE = ("tls:", "mctl:", "pulumi:")  # what the machine learns of these it learns by a command


class Effect(IntEnum):
    """From what nobody notices to what costs data."""

    IN_PLACE = 1
    AT_START = 2
    ENGINE = 3
    MAKE = 4
    RESTART = 5
    REPLACE = 6
    REMOVE = 7

    @property
    def action(self) -> str:
        """Say it in one of the words create, update, restart, replace, delete."""
        return ACTIONS.get(self, "update")

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
    Effect.AT_START: "in place (takes effect at the next start)",
    Effect.ENGINE: "restarts the engine (containers keep running)",
    Effect.MAKE: "makes the machine",
    Effect.RESTART: "restarts the VM",
    Effect.REPLACE: "replaces the VM (its data is lost)",
    Effect.REMOVE: "removes the machine (its data is lost)",
}

ACTIONS = {
    Effect.MAKE: "create",
    Effect.RESTART: "restart",
    Effect.REPLACE: "replace",
    Effect.REMOVE: "delete",
}


def of(changes: Sequence[Change], machines: Mapping[str, Any]) -> dict[str, Effect]:
    """Give the weightiest effect on each machine that a change touches. machines: the entries that are declared."""
    found: dict[str, Effect] = {}
    gone = [change.resource for change in changes if change.kind == MACHINE and change.op == "delete"]
    known = [*machines, *gone]
    for change in changes:
        machine = owner(change.resource, known)
        if machine:
            effect = _effect(change)
            if effect == Effect.RESTART and _is_off(change, machines.get(machine, {})):
                effect = Effect.AT_START
            found[machine] = max(effect, found.get(machine, Effect.IN_PLACE))
    return found


def _is_off(change: Change, entry: Mapping[str, Any]) -> bool:
    """Tell whether a VM is switched off before a change and after it."""
    return not entry.get("running", True) and "running" not in change.why


def _effect(change: Change) -> Effect:
    if change.kind == MACHINE:
        return {"create": Effect.MAKE, "delete": Effect.REMOVE}.get(change.op, Effect.IN_PLACE)
    if change.kind.startswith(IN_STATE_ALONE):
        return Effect.IN_PLACE
    if change.kind.startswith("command:"):
        restarts = change.op == "update" and change.resource.endswith(("-install", "-configure"))
        return Effect.ENGINE if restarts else Effect.IN_PLACE
    if not VM.search(change.kind):  # a key, a firewall or an address: containers don't notice
        return Effect.IN_PLACE
    restarting = RESTARTING.get(change.kind, set(change.why) - HARMLESS)
    if change.op == "update" and set(change.why).isdisjoint(restarting):
        return Effect.IN_PLACE
    return {"update": Effect.RESTART, "create": Effect.MAKE}.get(change.op, Effect.REPLACE)
