"""mctl kill: switch machines off at once."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each


def kill(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Switch machines off at once, without asking the guest."""
    from infra.stacks import machines

    each(
        names or ["default"],
        lambda name, report: machines.set_running(name, running=False, report=report, hard=True),
        'Machine "{}" was killed.',
    )
