"""config, inspect and version where docker-machine answers otherwise than mctl."""

from __future__ import annotations

import os
import sys

from cli.compat import usage, words
from cli.compat.entry import as_mctl, dispatch
from infra.errors import MctlError
from infra.stacks import lookup, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.compat.flags import Value

CONNECT_SECONDS = 20.0  # docker-machine's own limit


def run(verb: str, names: Sequence[str], values: dict[str, Value]) -> int:
    """Answer one of the three."""
    if verb == "config":
        _reach(names[0] if names else None)
    elif verb == "inspect" and not values.get("format"):
        sys.stdout.write(_config_json(names[0] if names else None))
        return 0
    elif verb == "version":
        if not names:
            sys.stdout.write(f"{usage.NAME} version {usage.version()}\n")
            return 0
        if not lookup.find(names[0]).running:
            raise words.PlainError(words.HOST_NOT_RUNNING)
    return dispatch(as_mctl(verb, names, values))


def _reach(name: str | None) -> None:
    """Ask the daemon whether it answers: GitLab Runner's executor learns it from `config`. Raises PlainError."""
    record = lookup.find(name)
    if not record.running:
        return  # the read itself says so
    from infra.stacks import states

    state = states.probe(record, CONNECT_SECONDS)
    if not state.docker_version:
        raise words.PlainError(f"Error running connection boilerplate: {state.error or words.HOST_NOT_RUNNING}")


def _config_json(name: str | None) -> str:
    """Give a machine's config.json; that of one that is not made yet, or is docker-machine's own, as it lies there."""
    try:
        record = lookup.find(name)
    except MctlError:
        file = os.path.join(records.folder(name or records.DEFAULT), records.CONFIG)
        if not records.is_begun(name or records.DEFAULT) and not records.is_foreign(name or records.DEFAULT):
            raise
        with open(file, encoding="utf-8") as stream:
            return stream.read()
    return records.config_json(record)
