"""mctl inspect: show all that is known of a machine."""

from __future__ import annotations

import typer

from cli import reads
from cli.options import Json, MachineName


def inspect(name: MachineName = None, *, json: Json = False) -> None:
    """Show all that is known of a machine. It is JSON with and without --json, and holds no secrets.

    Example: `mctl inspect web-1`
    """
    del json
    typer.echo(reads.inspect(name), nl=False)
