"""mctl ssh: log in to a machine, or run a command on it."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import machine_names
from cli.remote_shell import connect


def ssh(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="Name of the machine [default: default]", autocompletion=machine_names),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="ARGUMENT", help="Options for ssh, and a command to run")
    ] = None,
) -> None:
    """Log in to a machine, or run a command on it.

    Whatever follows the name goes to your own ssh as it is, and the command's exit code comes back.

    Example: `mctl ssh web-1 -L 8080:localhost:80 uptime`
    """
    raise typer.Exit(connect(name, arguments or ()))
