"""The question before what can't be undone."""

from __future__ import annotations

import sys

import typer

from infra.errors import UsageError


def confirmed(question: str, without_asking: str) -> bool:
    """Ask on standard error; an answer on standard input that begins with y is a yes, also where it is piped in.

    Raises UsageError, with the command that does not ask, where there is neither a terminal nor an answer.
    """
    typer.echo(f"{question} (y/n): ", err=True, nl=False)
    answer = sys.stdin.readline()
    if not answer:
        typer.echo(err=True)
        if not sys.stdin.isatty():
            raise UsageError("nobody answers, so nothing was done", mend=without_asking)
    return answer.strip().lower().startswith("y")
