"""One action on several machines, in the order asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import typer

from cli.output import print_error
from cli.progress import progress
from infra.errors import MctlError

if TYPE_CHECKING:
    from infra.stacks.progress import Report


def each(names: Sequence[str], act: Callable[[str, Report], object], done: str, *, go_on: bool = True) -> None:
    """Act on each machine, show its progress, and say `done` with its name.

    A failure is printed; go_on: try the rest all the same. Ends with the exit code of the first failure.
    """
    failed: MctlError | None = None
    for name in names:
        try:
            with progress() as report:
                act(name, report)
        except MctlError as error:
            if not go_on or len(names) == 1:
                raise
            print_error(error)
            failed = failed or error
        else:
            typer.echo(done.format(name))
    if failed:
        raise typer.Exit(failed.exit_code)
