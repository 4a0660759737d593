"""Progress of a run: live on a terminal, plain lines elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from infra.stacks.progress import Progress


@contextmanager
def progress(*, live: bool = True) -> Iterator[Callable[[Progress], None]]:
    """Give a function that shows what it is told until the block ends. live: False asks for plain lines everywhere."""
    if live and sys.stderr.isatty():
        with _live() as report:
            yield report
    else:
        yield lambda step: print(_line(step), file=sys.stderr, flush=True)  # noqa: T201 - this is the output


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
    columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
    # Standard output is for results: rich would take what is printed there to this console, which is standard error.
    with Bar(*columns, console=console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
        task = bar.add_task("Starting the Pulumi engine", total=None)
        shown: list[tuple[str, float]] = []

        def behind(sign: str) -> None:
            if shown:
                text, since = shown.pop()
                console.print(f"{sign} {escape(text)} [dim]{time.monotonic() - since:.0f} s[/]")

        def report(step: Progress) -> None:
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
