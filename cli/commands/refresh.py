"""mctl refresh: look at what is really there."""

from __future__ import annotations

import typer

from cli.options import StackName
from cli.progress import progress


def refresh(name: StackName = None) -> None:
    """Look at what is really there, and write stack state and records anew.

    What a refresh finds missing or switched off, the next `mctl up` mends.

    Example: `mctl refresh web-1`
    """
    from infra.stacks import lookup, machines

    with progress() as report:
        made = machines.refresh(name or lookup.default(), report)
    for record in made:
        typer.echo(f"{record.name} {record.docker_url}")
