"""mctl restart: switch machines off and on again."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each
from cli.progress import progress


def restart(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Restart machines, and wait until Docker answers."""
    from infra.stacks import machines

    with progress() as report:
        each(names or ["default"], lambda name: machines.restart(name, report), 'Machine "{}" was restarted.')
