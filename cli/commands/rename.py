"""mctl rename: give a machine another name."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import machine_names
from cli.progress import progress


def rename(
    name: Annotated[str, typer.Argument(metavar="OLD", help="Name of the machine", autocompletion=machine_names)],
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name")],
) -> None:
    """Give a machine another name. Nothing of it is made anew but its certificate; containers keep running.

    Its stack keeps the name that it has, and so does the host. Stopped half-way, the same command goes on.

    Example: `mctl rename web-1 web-blue`
    """
    from infra.stacks import changes

    with progress() as report:
        changes.rename(name, new, report)
    typer.echo(f'Machine "{name}" is now "{new}".')
