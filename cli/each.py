"""One action on several machines: those of different stacks at once, the answers in the order asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import typer

from cli import side_by_side
from cli.output import say
from cli.progress import naming, progress
from infra.errors import AlreadyError, MctlError
from infra.stacks import lookup

if TYPE_CHECKING:
    from infra.stacks.progress import Report

Act = Callable[[str, "Report"], object]


def each(names: Sequence[str] | None, act: Act, done: str | Callable[[str], str], *, there: bool = True) -> None:
    """Act on each machine, or on `default`, show the progress, and say `done` with its name, or what it makes of it.

    All names are looked up before anything is done: NotFoundError. A failure is printed and does not keep the others
    from going on; the exit code is that of the first. A machine that is already in the state asked for is no failure.
    there: False where the names are those of machines, or stacks, that are to come; each has a stack of its own.
    """
    names = list(dict.fromkeys(names or [lookup.default()]))
    failed = 0
    for name, error in outcomes(names, act, there=there):
        if error is None:
            typer.echo(done.format(name) if isinstance(done, str) else done(name))
        elif isinstance(error, AlreadyError):
            typer.echo(error.message)
        elif len(names) == 1:
            raise error
        else:
            said = error.message if f'"{name}"' in error.message else f'machine "{name}": {error.message}'
            say("Error", said, error.mend)
            failed = failed or error.exit_code
    if failed:
        raise typer.Exit(failed)


def outcomes(names: Sequence[str], act: Act, *, there: bool = True) -> Iterator[tuple[str, MctlError | None]]:
    """Give what came of each machine, in the order asked, as soon as it is known."""
    if len(names) == 1:
        yield names[0], _alone(act, names[0])
        return
    from infra.stacks import machines

    known: dict[str, MctlError | None] = {}
    groups = machines.by_stack(names) if there else [[name] for name in names]
    untold = deque(names)
    with progress(live=False) as report:
        for name, error in side_by_side.run(groups, partial(_act, act), report):
            known[name] = error
            while untold and untold[0] in known:
                yield untold[0], known[untold.popleft()]


def _alone(act: Act, name: str) -> MctlError | None:
    try:
        with progress() as report:
            act(name, report)
    except MctlError as error:
        return error
    return None


def _act(act: Act, name: str, report: Report) -> None:
    """Act, and have each step say whose it is."""
    act(name, naming(name, report))
