"""mctl rm: remove machines."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.each import each


def rm(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="Machines to remove.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Do not ask, and go on with the next machine after a failure.")
    ] = False,
) -> None:
    """Remove machines: the host, its disk, its stack, its context and its record.

    A machine whose removal fails is kept in the list, so that nothing is left behind unseen.
    """
    from infra.stacks import machines

    if not (yes or force) and not _confirmed(names):
        return
    each(names, machines.remove, "Successfully removed {}", go_on=force)


def _confirmed(names: list[str]) -> bool:
    typer.echo(f"About to remove {', '.join(names)}", err=True)
    typer.echo("WARNING: This action will delete both local reference and remote instance.", err=True)
    if not sys.stdin.isatty():
        from infra.errors import UsageError

        raise UsageError("there is no terminal to ask on", mend=f"mctl rm -y {' '.join(names)}")
    return typer.confirm("Are you sure?", err=True)
