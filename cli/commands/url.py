"""mctl url: print the URL of a machine's Docker daemon."""

from __future__ import annotations

import typer

from cli import reads
from cli.options import Json, MachineName


def url(name: MachineName = None, *, json: Json = False) -> None:
    """Print the URL of a machine's Docker daemon.

    Example: `mctl url web-1`
    """
    typer.echo(reads.url(name, json=json), nl=False)
