"""mctl rm: remove machines."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from cli import fleet
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
    """Remove machines: the host, its disk, its stack, its context and its record. A group's name means all of it.

    Asks first, and removes nothing unless the answer begins with y; where there is neither a terminal nor an answer on
    standard input, --yes must be given. A machine whose removal fails stays in the list, with --force too, so that
    nothing is left behind unseen. What runs on a machine of a Swarm moves to the others first, and the Swarm must keep
    its quorum.

    Example: `mctl rm --yes web-1 web-2`
    """
    from infra.stacks import fleets, machines

    groups = fleets.groups_among(names)
    wanted = [name for name in names if name not in groups]
    wanted = _there(wanted) if force else wanted
    if not wanted and not groups:
        return
    machines.by_stack(wanted)  # an unknown one is told before anything is asked
    if not (yes or force or _confirmed([*wanted, *(member for members in groups.values() for member in members)])):
        return
    for group in groups:
        failed = fleet.remove(group, force=force)
        if failed:
            raise failed
        typer.echo(f"Successfully removed {group}")
    if wanted:
        remove = partial(machines.remove, force=force, going=wanted)
        each(wanted, remove, "Successfully removed {}")


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
