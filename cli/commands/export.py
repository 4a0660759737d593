"""mctl export: write a machine into one encrypted file for another person."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cli.export_passphrase import PassphraseFile, ask
from cli.options import machine_names
from cli.progress import progress


def export(
    name: Annotated[str, typer.Argument(help="Machine to export", autocompletion=machine_names)],
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write [default: STACK.mctl]")] = None,
    passphrase_file: PassphraseFile = None,
) -> None:
    """Write a machine into one encrypted file, which another person takes over with mctl import FILE.

    It holds the machine's whole stack: other machines in it share the authority, so they come along.

    Example: `mctl export web-1 -o web-1.mctl`
    """
    from infra.stacks import machines, moving, sealed_file

    folder, stack, _ = machines.declaration(name)
    file = output or Path(f"{stack}.mctl")
    secret = ask(passphrase_file, twice=True)
    with progress() as report:
        packed = moving.pack(folder, stack, report)
        sealed_file.write(file, json.dumps(packed).encode(), secret)
    typer.echo(f'Exported stack "{stack}" with machines {", ".join(moving.machines(packed))} to {file}.')
    typer.echo(f"To use it on another computer, run there: mctl import {file}", err=True)
