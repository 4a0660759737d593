"""mctl stop: switch machines off."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each
from cli.progress import progress


def stop(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Switch machines off: the guest is asked to shut down."""
    from infra.stacks import machines

    with progress() as report:
        each(
            names or ["default"],
            lambda name: machines.set_running(name, running=False, report=report),
            'Machine "{}" was stopped.',
        )
