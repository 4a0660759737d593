"""mctl rm: remove machines."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.confirm import confirmed
from cli.each import each
from cli.options import machine_names
from cli.output import say
from infra.errors import NotFoundError


def rm(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME", help="Machines to remove", autocompletion=machine_names)
    ],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", help="Do not ask, pass over names that no machine has, and let a Swarm lose its quorum"
        ),
    ] = False,
) -> None:
    """Remove machines: the host, its disk, its stack, its context and its record.

    Asks first, and removes nothing unless the answer begins with y; where there is neither a terminal nor an answer on
    standard input, --yes must be given. A machine whose removal fails stays in the list, with --force too, so that
    nothing is left behind unseen. What runs on a machine of a Swarm moves to the others first, and the Swarm must keep
    its quorum.

    Example: `mctl rm --yes web-1 web-2`
    """
    from infra.stacks import machines

    wanted = _there(names) if force else names
    if not wanted:
        return
    machines.by_stack(wanted)  # an unknown one is told before anything is asked
    if yes or force or _confirmed(wanted):
        each(
            wanted,
            lambda name, report: machines.remove(name, report, force=force, going=wanted),
            "Successfully removed {}",
        )


def _there(names: list[str]) -> list[str]:
    """Leave out the names that no machine has, with a notice."""
    from infra.stacks import machines

    there = []
    for name in names:
        try:
            machines.by_stack([name])
            there.append(name)
        except NotFoundError as error:
            say("Notice", error.message, None)
    return there


def _confirmed(names: list[str]) -> bool:
    typer.echo(f"About to remove {', '.join(names)}", err=True)
    typer.echo("WARNING: This action will delete both local reference and remote instance.", err=True)
    return confirmed("Are you sure?", f"mctl rm -y {' '.join(names)}")
