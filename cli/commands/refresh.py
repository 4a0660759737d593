"""mctl refresh: look at what is really there."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import StackName
from cli.progress import progress

Preview = Annotated[bool, typer.Option("--preview", help="Write nothing: say what differs, as `mctl drift` does")]


def refresh(name: StackName = None, *, preview: Preview = False) -> None:
    """Look at what is really there, and write stack state and records anew.

    What a refresh finds missing or switched off, the next `mctl up` mends.

    Example: `mctl refresh web-1`
    """
    if preview:
        from cli import previews
        from infra.stacks.previews import drift

        previews.show([name] if name else None, drift, form=previews.TEXT, diff=False, exit_code=False)
        return
    from infra.stacks import lookup, machines

    with progress() as report:
        made = machines.refresh(name or lookup.default(), report)
    for record in made:
        typer.echo(f"{record.name} {record.docker_url}")
