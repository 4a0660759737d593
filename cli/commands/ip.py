"""mctl ip: print the addresses of machines."""

from __future__ import annotations

import typer

from cli import reads
from cli.options import Json, MachineNames


def ip(names: MachineNames = None, *, json: Json = False) -> None:
    """Print the addresses of machines, one a line, in the order asked.

    Example: `mctl ip web-1 web-2`
    """
    typer.echo(reads.ip(names or (), json=json), nl=False)
