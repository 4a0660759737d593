"""mctl preview: what an `up` would do."""

from __future__ import annotations

from dataclasses import asdict

import typer

from cli.options import Json, StackName
from cli.output import as_json
from cli.progress import progress

SIGNS = {"create": "+", "update": "~", "replace": "+-", "delete": "-"}


def preview(
    name: StackName = None,
    *,
    json: Json = False,
) -> None:
    """Say what `mctl up` would do, without doing it; of a fleet, to all of its stacks.

    Example: `mctl preview prod`
    """
    from infra.stacks import fleets, lookup

    with progress() as report:
        changes = fleets.preview(name or lookup.default(), report)
    if json:
        typer.echo(as_json([asdict(change) for change in changes]), nl=False)
        return
    for change in changes:
        why = f"  ({', '.join(change.why)})" if change.why else ""
        typer.echo(f"{SIGNS[change.op]:<2} {change.op:<8} {change.kind} {change.resource}{why}")
    if not changes:
        typer.echo("no changes")
