"""mctl swarm: look at the Swarms that stacks form, and renew what nodes join them with."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from cli.options import Json, stack_names
from cli.output import as_json
from cli.progress import progress


class Action(StrEnum):
    """What is to be done."""

    ls = "ls"
    status = "status"
    token = "token"  # noqa: S105 - the word, not one
    rotate = "rotate"
    unlock_key = "unlock-key"


class Role(StrEnum):
    """What a node joins as."""

    worker = "worker"
    manager = "manager"


def swarm(
    action: Annotated[Action, typer.Argument(help="What to show, or rotate: make tokens and unlock key anew")],
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME", help="A stack, or a machine in it [default: the only Swarm]", autocompletion=stack_names
        ),
    ] = None,
    *,
    role: Annotated[Role, typer.Option(help="What the token is for")] = Role.worker,
    json: Json = False,
) -> None:
    """Look at the Swarms that stacks form, and renew what nodes join them with.

    A stack forms one by `create --swarm`, or by `mctl:swarm` in its file. Nodes that are members stay so when
    the tokens are made anew.

    Example: `mctl swarm status web`
    """
    from cli import swarm_text

    with progress() as report:
        value, text = swarm_text.answer(action.value, name, role.value, report)
    typer.echo(as_json(value) if json else text, nl=False)
