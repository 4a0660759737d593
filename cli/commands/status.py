"""mctl status: show a machine's state."""

from __future__ import annotations

import typer

from cli.options import Json, MachineName, Timeout
from cli.output import as_json


def status(name: MachineName = None, *, timeout: Timeout = 10, json: Json = False) -> None:
    """Show a machine's state, asked of the machine itself: Running, Stopped, Timeout or Error.

    Example: `mctl status web-1`
    """
    from infra.stacks import lookup, states

    record = lookup.find(name)
    state = states.probe(record, timeout)
    if not json:
        typer.echo(state.word)
        return
    answer = {"name": record.name, "state": state.word} | {
        key: value for key, value in state._asdict().items() if key != "word"
    }
    typer.echo(as_json(answer), nl=False)
