"""What local and remote commands share: when which command runs, and what the outputs are."""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar

from infra.plugins.command.diff import diff_inputs, same
from infra.plugins.command.inputs import check_inputs
from infra.plugins.server import CheckFailure, Diff, Operation, Resource
from infra.plugins.wire import UNKNOWN, Properties, has_unknown, plain

# Linux refuses one environment string of 128 KiB, and OpenSSH a packet of 256 KiB: longer output is left out.
MAX_VARIABLE = 128 * 1024 - 64
INPUTS = (
    "addPreviousOutputInEnv",
    "create",
    "delete",
    "environment",
    "logging",
    "stdin",
    "triggers",
    "update",
)


def unique_id(prefix: str) -> str:
    """Make an id as the official plugin does: the prefix and 8 hexadecimal digits."""
    return prefix + secrets.token_hex(4)


def previous_output(properties: Properties, olds: Properties) -> dict[str, str]:
    """Give the variables that tell a command what the one before it printed."""
    if properties.get("addPreviousOutputInEnv") is False:
        return {}
    found = {f"PULUMI_COMMAND_{name.upper()}": str(olds.get(name) or "") for name in ("stdout", "stderr")}
    return {name: text for name, text in found.items() if text and len(text.encode()) < MAX_VARIABLE}


class Command(Resource):
    """Run `create`, `update` (or `create` again) and `delete` at their times."""

    inputs: ClassVar[Collection[str]] = INPUTS
    required: ClassVar[Collection[str]] = ()
    outputs: ClassVar[Collection[str]] = ("stdout", "stderr")

    @abstractmethod
    async def run(self, op: Operation, command: str, properties: Properties, olds: Properties) -> Properties:
        """Run one command and give its outputs. properties and olds: plain. Raises PluginError."""

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Fill in the connection's defaults."""
        return check_inputs(op, self.inputs, self.required)

    def diff(self, op: Operation) -> Diff:
        """Compare every input; triggers that come or go as a whole replace."""
        return diff_inputs(op, self.inputs, replacing=("triggers",))

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Run `create`, if there is one."""
        made = unique_id(op.name)
        if op.preview:
            return made, op.news | dict.fromkeys(("stdout", "stderr"), UNKNOWN)
        properties = plain(op.news)
        ran: Properties = {"stdout": "", "stderr": ""}
        if properties.get("create") is not None:
            ran = await self.run(op, properties["create"], properties, {})
        return made, op.news | ran

    async def update(self, op: Operation) -> Properties:
        """Run `update`, else `create`; with neither, keep the outputs."""
        news = op.news | {name: op.olds.get(name) for name in op.ignore_changes}
        kept = {name: op.olds[name] for name in self.outputs if name in op.olds}
        if op.preview:
            return news | (dict.fromkeys(kept, UNKNOWN) if self._changes_outputs(op.olds, news) else kept)
        properties = plain(news)
        command = properties.get("update")
        if command is None:
            command = properties.get("create")
        if command is None:
            return news | kept
        return news | kept | await self.run(op, command, properties, plain(op.olds))

    async def delete(self, op: Operation) -> None:
        """Run `delete`, if there is one, over the connection in the stack state."""
        olds = plain(op.olds)
        if olds.get("delete") is not None:
            await self.run(op, olds["delete"], olds, olds)

    def _changes_outputs(self, olds: Properties, news: Properties) -> bool:
        """Tell whether a preview must call the outputs unknown. An input that is merely new doesn't make them so."""
        return any(
            has_unknown(news.get(name)) or (name in olds and not same(olds[name], news.get(name)))
            for name in self.inputs
        )


def as_environment(given: Any) -> dict[str, str]:
    """Read the `environment` input."""
    return {str(name): str(value) for name, value in (given or {}).items()}
