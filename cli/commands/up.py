"""mctl up: bring a stack to what it declares."""

from __future__ import annotations

import typer

from cli import fleet
from cli.options import StackName


def up(name: StackName = None) -> None:
    """Bring a stack to what Pulumi.<stack>.yaml declares: make, change and remove machines.

    Of a fleet that is spread over several stacks, all are brought up. What goes is said before anything is done.

    Example: `mctl up prod`
    """
    from infra.stacks import fleets, lookup, mistakes

    name = name or lookup.default()
    found = fleets.fleet(name)
    if found.gone:
        for stack in found.stacks:  # a mistake is no removal
            mistakes.check(found.folder, stack)
        typer.echo(f"Removes {', '.join(found.gone)}, which no declaration has any more", err=True)
    failed = fleet.bring(found, f"mctl up {name}")
    if not failed or len(found.stacks) > 1:  # a part that fails leaves the rest up
        fleet.show(found)
    if failed:
        raise failed
