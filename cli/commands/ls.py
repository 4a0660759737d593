"""mctl ls: list machines and their states."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import reads
from cli.options import Json, Timeout


def ls(
    *,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print names alone; no machine is asked, unless for a state")
    ] = False,
    filters: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="KEY=VALUE", help="Keep machines by driver, swarm, state, name or label"),
    ] = None,
    template: Annotated[
        str | None, typer.Option("--format", "-f", metavar="TEMPLATE", help="Print each machine by a Go template")
    ] = None,
    timeout: Timeout = 10,
    json: Json = False,
) -> None:
    """List machines and their states. All are asked at once; * marks the one that docker uses in this shell.

    A name is filtered by a regular expression. A template that begins with `table` gets a header.

    Example: `mctl ls --filter driver=qemu --format "{{.Name}} {{.State}}"`
    """
    if quiet:
        text = reads.ls_names(filters or (), timeout=timeout, json=json)
    else:
        text = reads.ls(filters or (), template=template, timeout=timeout, json=json)
    typer.echo(text, nl=False)
