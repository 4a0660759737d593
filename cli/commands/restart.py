"""mctl restart: switch machines off and on again."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each


def restart(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines.")] = None) -> None:
    """Restart machines, and wait until Docker answers."""
    from infra.stacks import machines

    each(names or ["default"], machines.restart, 'Machine "{}" was restarted.')
