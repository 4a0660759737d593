"""One action on several machines, in the order asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import typer

from cli.output import print_error
from infra.errors import MctlError


def each(names: Sequence[str], act: Callable[[str], object], done: str, *, go_on: bool = True) -> None:
    """Act on each machine and say `done` with its name.

    A failure is printed; go_on: try the rest all the same. Ends with the exit code of the first failure.
    """
    failed: MctlError | None = None
    for name in names:
        try:
            act(name)
        except MctlError as error:
            if not go_on or len(names) == 1:
                raise
            print_error(error)
            failed = failed or error
        else:
            typer.echo(done.format(name))
    if failed:
        raise typer.Exit(failed.exit_code)
