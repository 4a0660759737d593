"""mctl compat: answer to the name docker-machine."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.output import say


class Action(StrEnum):
    """What is to be done with the name."""

    install = "install"
    remove = "remove"


def compat(
    action: Annotated[Action, typer.Argument(help="Write the program docker-machine, or remove it again")],
    *,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="Folder for it [default: mctl's own, else ~/.local/bin]")
    ] = None,
    force: Annotated[bool, typer.Option("--force", "-f", help="Replace a file that is not mctl's")] = False,
) -> None:
    """Let scripts that call docker-machine call mctl: the same program, under that name, speaks its command line.

    Its machines are those of MACHINE_STORAGE_PATH, else MCTL_HOME, else ~/.docker/machine.

    Example: `mctl compat install --dir ~/.local/bin`
    """
    from cli.compat import install

    if action is Action.remove:
        removed = install.remove(folder)
        typer.echo(f"removed {removed}" if removed else "docker-machine is not there")
        return
    place = install.install(folder, force=force)
    typer.echo(place)
    hidden = install.hidden_by(place)
    if hidden:
        say("Notice", f"a shell will not find it: {hidden}", None)
