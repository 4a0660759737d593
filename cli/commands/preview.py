"""mctl preview: what an `up` would do."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from cli.progress import progress

SIGNS = {"create": "+", "update": "~", "replace": "+-", "delete": "-"}


def preview(
    name: Annotated[str, typer.Argument(help="A stack, or a machine in it.")] = "default",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what `mctl up` would do, without doing it."""
    from infra.stacks import machines

    with progress() as report:
        changes = machines.preview(name, report)
    if as_json:
        typer.echo(json.dumps([asdict(change) for change in changes], indent=4))
        return
    for change in changes:
        why = f"  ({', '.join(change.why)})" if change.why else ""
        typer.echo(f"{SIGNS[change.op]:<2} {change.op:<8} {change.kind} {change.resource}{why}")
    if not changes:
        typer.echo("no changes")
