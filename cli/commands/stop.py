"""mctl stop: switch machines off."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each


def stop(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Switch machines off: the guest is asked to shut down."""
    from infra.stacks import machines

    each(
        names or ["default"],
        lambda name, report: machines.set_running(name, running=False, report=report),
        'Machine "{}" was stopped.',
    )
