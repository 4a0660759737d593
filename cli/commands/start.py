"""mctl start: switch machines on."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each


def start(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Switch machines on, and wait until Docker answers."""
    from infra.stacks import machines

    each(
        names or ["default"],
        lambda name, report: machines.set_running(name, running=True, report=report),
        'Machine "{}" was started.',
    )
