"""Progress of a run: live on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stacks.progress import Progress

STEP = "{task.description}"
FEW = 20  # machines whose every step is told


@contextmanager
def progress(*, live: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows what it is told until the block ends. live: False asks for plain lines everywhere."""
    if live and sys.stderr.isatty():
        with _live() as report:
            yield report
    else:
        yield lambda step: None if step.done else _print(_line(step))


@contextmanager
def progress_of_many(machines: int) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows what it is told of several machines, in one display that counts those that are done.

    Without a terminal every step is a line where they are few; of more, those that are done and what is worth keeping.
    """
    if machines <= 1 or sys.stderr.isatty():
        with progress() if machines <= 1 else _live_count(machines) as report:
            yield report
        return
    done: set[str] = set()

    def report_line(step: Progress) -> None:
        if step.done:
            done.add(step.machine)
            _print(f"{_line(step)}, {len(done)} of {machines}")
        elif step.notice or machines <= FEW:
            _print(_line(step))

    yield report_line


def naming(name: str, report: Callable[[Progress], None]) -> Callable[[Progress], None]:
    """Have each step say whose it is, where it does not yet."""
    return lambda step: report(replace(step, machine=step.machine or name))


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201 - this is the output


def _line(step: Progress) -> str:
    return f"({step.machine}) {step.text}" if step.machine else step.text


@contextmanager
def _live() -> Iterator[Callable[[Progress], None]]:
    """Keep the latest step under a spinner with the seconds it has taken; what is behind scrolls away."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import Progress as Bar
    from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = SpinnerColumn(), TextColumn(STEP), TimeElapsedColumn()
    # Standard output is for results: rich would take what is printed there to this console, which is standard error.
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("Starting the Pulumi engine", total=None)
        shown: list[tuple[str, float]] = []

        def behind(sign: str) -> None:
            if shown:
                text, since = shown.pop()
                console.print(f"{sign} {escape(text)} [dim]{time.monotonic() - since:.0f} s[/]")

        def report(step: Progress) -> None:
            if step.done:
                return
            if step.notice:
                console.print(f"[yellow]![/] {escape(_line(step))}")
                return
            behind("[green]✓[/]")
            shown.append((_line(step), time.monotonic()))
            bar.reset(task, description=escape(_line(step)))

        try:
            yield report
        except BaseException:
            behind("[red]✗[/]")
            raise
        behind("[green]✓[/]")


@contextmanager
def _live_count(machines: int) -> Iterator[Callable[[Progress], None]]:
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        MofNCompleteColumn(),
        BarColumn(20),
        TimeElapsedColumn(),
        TextColumn(STEP),
    )
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("Starting the Pulumi engine", total=machines)

        def report(step: Progress) -> None:
            if step.notice:
                console.print(f"[yellow]![/] {escape(_line(step))}")
            bar.update(task, description=escape(_line(step)), advance=int(step.done))

        yield report
