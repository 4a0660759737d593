"""mctl help: explain a verb."""

from __future__ import annotations

from typing import Annotated

import typer


def _verbs() -> list[str]:
    from cli.app import VERBS

    return list(VERBS)


Verb = Annotated[str | None, typer.Argument(help="A verb [default: all of them]", autocompletion=_verbs)]


def help(verb: Verb = None) -> None:  # noqa: A001
    """Explain a verb, as `mctl VERB --help` does.

    Example: `mctl help create`
    """
    from cli import app

    raise typer.Exit(app.run([verb, "--help"] if verb else ["--help"]))
