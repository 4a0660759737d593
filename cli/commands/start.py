"""mctl start: switch machines on."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each
from cli.progress import progress


def start(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Switch machines on, and wait until Docker answers."""
    from infra.stacks import machines

    with progress() as report:
        each(
            names or ["default"],
            lambda name: machines.set_running(name, running=True, report=report),
            'Machine "{}" was started.',
        )
