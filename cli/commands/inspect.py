"""mctl inspect: show all that is known of a machine."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import reads
from cli.options import Json, MachineName


def inspect(
    name: MachineName = None,
    *,
    template: Annotated[
        str | None,
        typer.Option("--format", "-f", metavar="TEMPLATE", help="Fill in a Go template, such as {{.Driver.IPAddress}}"),
    ] = None,
    json: Json = False,
) -> None:
    """Show all that is known of a machine. It is JSON with and without --json, and holds no secrets.

    A template knows what the JSON shows, such as {{.docker_url}}, and the fields of docker-machine's config.json.

    Example: `mctl inspect -f '{{.docker_url}}' web-1`
    """
    del json
    typer.echo(reads.inspect(name, template=template), nl=False)
