"""mctl up: bring a stack to what it declares."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.progress import progress


def up(name: Annotated[str, typer.Argument(help="A stack, or a machine in it.")] = "default") -> None:
    """Bring a stack to what Pulumi.<stack>.yaml declares."""
    from infra.stacks import machines

    with progress() as report:
        made = machines.up(name, report)
    for record in made:
        typer.echo(f"{record.name} {record.docker_url}")
