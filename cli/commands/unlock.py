"""mctl unlock: clear the lock that a dead run left."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.confirm import confirmed
from cli.options import stack_names
from cli.progress import progress

Name = Annotated[str, typer.Argument(metavar="NAME", help="A stack, or a machine in it", autocompletion=stack_names)]


def unlock(name: Name, *, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False) -> None:
    """Clear the lock of a stack that a run on another computer left when it died; those of this one clear themselves.

    A run that still lives goes on, and may write over what the next one does: make sure that there is none.

    Example: `mctl unlock prod`
    """
    from infra.stacks import machines

    folder, stack = machines.locate(name)
    if yes or confirmed(f"Is no run changing stack {stack} any more?", f"mctl unlock --yes {name}"):
        with progress() as report:
            machines.unlock(folder, stack, report)
        typer.echo(f"Unlocked stack {stack}")
