"""mctl refresh: look at what is really there."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.progress import progress


def refresh(name: Annotated[str, typer.Argument(help="A stack, or a machine in it.")] = "default") -> None:
    """Look at what is really there, and write stack state and records anew.

    What a refresh finds missing or switched off, the next `mctl up` mends.
    """
    from infra.stacks import machines

    with progress() as report:
        made = machines.refresh(name, report)
    for record in made:
        typer.echo(f"{record.name} {record.docker_url}")
