"""mctl up: bring a stack to what it declares."""

from __future__ import annotations

import typer

from cli.options import StackName
from cli.progress import progress


def up(name: StackName = None) -> None:
    """Bring a stack to what Pulumi.<stack>.yaml declares.

    Example: `mctl up prod`
    """
    from infra.stacks import lookup, machines

    with progress() as report:
        made = machines.up(name or lookup.default(), report)
    for record in made:
        typer.echo(f"{record.name} {record.docker_url}")
