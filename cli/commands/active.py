"""mctl active: name the machine that docker uses in this shell."""

from __future__ import annotations

import typer

from cli import reads
from cli.options import Json, Timeout


def active(*, timeout: Timeout = 10, json: Json = False) -> None:
    """Name the machine that docker uses in this shell, by DOCKER_HOST or by docker's current context.

    No machine is asked, so --timeout, which docker-machine needs, changes nothing.

    Example: `mctl active --json`
    """
    del timeout
    typer.echo(reads.active(json=json), nl=False)
