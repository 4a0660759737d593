"""Arguments and options that several verbs share."""

from __future__ import annotations

from typing import Annotated

import typer


def machine_names(incomplete: str) -> list[str]:
    """Complete the name of a machine."""
    from infra.stacks import records

    return [name for name in records.names() if name.startswith(incomplete)]


def stack_names(incomplete: str) -> list[str]:
    """Complete the name of a stack, or of a machine in it."""
    from infra.stacks import lookup, records

    known = {*records.names(), *lookup.stacks()}
    return [name for name in records.in_order(known) if name.startswith(incomplete)]


MachineName = Annotated[
    str | None,
    typer.Argument(metavar="NAME", help="Name of the machine [default: default]", autocompletion=machine_names),
]
MachineNames = Annotated[
    list[str] | None,
    typer.Argument(metavar="NAME", help="Names of machines [default: default]", autocompletion=machine_names),
]
StackName = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME", help="A stack, or a machine in it [default: machine default]", autocompletion=stack_names
    ),
]
StackNames = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME", help="Stacks, or machines in them [default: machine default]", autocompletion=stack_names
    ),
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print the body of a comment on a pull request")]
Diff = Annotated[bool, typer.Option("--diff", help="Show the values that differ")]
ExitCode = Annotated[bool, typer.Option("--exit-code", help="End with 10 where anything differs, with 1 on an error")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON")]
Swarm = Annotated[bool, typer.Option("--swarm", help="Reach the swarm that the machine is a master of")]
Timeout = Annotated[float, typer.Option("--timeout", "-t", min=0.1, help="Seconds to wait for a machine's answer")]
