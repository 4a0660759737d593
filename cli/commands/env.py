"""mctl env: print the commands that point this shell's docker at a machine."""

from __future__ import annotations

from typing import Annotated

import typer

from cli import reads
from cli.options import Json, MachineName, Swarm


def env(
    name: MachineName = None,
    *,
    shell: Annotated[
        str | None,
        typer.Option("--shell", help="bash, zsh, fish, powershell, cmd, tcsh or emacs [default: the one this runs in]"),
    ] = None,
    swarm: Swarm = False,
    unset: Annotated[bool, typer.Option("--unset", "-u", help="Point docker back at where it was")] = False,
    no_proxy: Annotated[bool, typer.Option("--no-proxy", help="Reach the machine without a proxy")] = False,
    json: Json = False,
) -> None:
    """Print the commands that point this shell's docker at a machine.

    Example: `eval "$(mctl env web-1)"`
    """
    text = reads.env(name, shell=shell, swarm=swarm, unset=unset, no_proxy=no_proxy, json=json)
    typer.echo(text, nl=False)
