"""mctl scale: have more or fewer machines in a group."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import fleet
from cli.confirm import confirmed


def scale(
    group: Annotated[str, typer.Argument(metavar="GROUP", help="Name of the group")],
    count: Annotated[int, typer.Argument(metavar="N", min=0, help="How many machines it is to have")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    force: Annotated[bool, typer.Option("--force", "-f", help="Do not ask, and let a Swarm lose its quorum")] = False,
) -> None:
    """Make machines of a group, or remove the last ones, until it has so many.

    Asks before anything is removed. Stacks whose machines stay as they are are not touched. What runs on machines of a
    Swarm moves to the others first, and the Swarm must keep its quorum.

    Example: `mctl scale web 20`
    """
    from infra.stacks import fleets

    again = f"mctl scale {group} {count}"
    gone = fleets.scale(group, count).gone
    if gone and not (yes or force):
        typer.echo(f"About to remove {', '.join(gone)}", err=True)
        typer.echo("WARNING: their data is lost.", err=True)
        if not confirmed("Are you sure?", f"mctl scale -y {group} {count}"):
            return
    failed = fleet.scale(group, count, again, f"mctl scale -f {group} {count}", force=force)
    if failed:
        raise failed
    typer.echo(f"{group} has {count} machine{'' if count == 1 else 's'}")
