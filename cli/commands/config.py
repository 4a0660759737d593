"""mctl config: print the docker options that reach a machine."""

from __future__ import annotations

import typer

from cli import reads
from cli.options import Json, MachineName, Swarm


def config(name: MachineName = None, *, swarm: Swarm = False, json: Json = False) -> None:
    """Print the docker options that reach a machine.

    Example: `docker $(mctl config web-1) ps`
    """
    typer.echo(reads.config(name, swarm=swarm, json=json), nl=False)
