"""The passphrase of an exported file: from a file, the environment or a prompt; never from the command line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.errors import UsageError

VARIABLE = "MCTL_EXPORT_PASSPHRASE"
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help=f"File whose first line is the export's passphrase [default: {VARIABLE}, else a prompt]"),
]


def ask(file: Path | None, *, twice: bool) -> str:
    """Give the passphrase. twice: it is a new one. Raises UsageError where there is none."""
    given = first_line(file) if file else os.environ.get(VARIABLE, "")
    if not given and not file and sys.stdin.isatty():
        given = typer.prompt("Passphrase of the export", hide_input=True, confirmation_prompt=twice, err=True)
    if not given:
        raise UsageError(
            "there is no passphrase for the export", mend=f"--passphrase-file FILE, or export {VARIABLE}=…"
        )
    return given


def first_line(file: Path) -> str:
    """Read the first line of a file. Raises UsageError."""
    try:
        return (file.read_text().splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not a text file"
        raise UsageError(f"the passphrase file {file} can't be read: {reason}") from None
