"""mctl orphans: find at a provider what no stack knows of any more."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.confirm import confirmed
from cli.create_options import Provider
from cli.driver_options import DEFAULT_PROVIDER, chosen_provider, with_driver_options
from cli.options import Json
from cli.output import as_json
from cli.progress import progress

Delete = Annotated[bool, typer.Option("--delete", help="Delete them, after listing")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]
FACTS = ("kind", "id", "name", "stack", "machine")


def _orphans(
    *,
    provider: Provider = DEFAULT_PROVIDER,
    delete: Delete = False,
    yes: Yes = False,
    json: Json = False,
    options: Mapping[str, Any],
) -> None:
    """List what a provider has of ours that no stack knows of: what a crash left behind, and only that.

    Everything that mctl makes bears tags with the id of its stack state; what another project or person made is never
    listed.

    Example: `mctl orphans --provider aws --delete`
    """
    from infra.stacks import orphans as of

    with progress() as report:
        found = of.find(provider, options, report)
    if json:
        typer.echo(as_json([{fact: getattr(orphan, fact) for fact in FACTS} for orphan in found]), nl=False)
    else:
        for orphan in found:
            typer.echo(f"{orphan.kind}  {orphan.id}  {orphan.name}  (machine {orphan.machine} of stack {orphan.stack})")
    if not delete or not found:
        return
    if not yes and not confirmed(f"Delete {len(found)} of them?", f"mctl orphans --provider {provider} --delete --yes"):
        return
    with progress() as report:
        of.delete(found, report)
    typer.echo(f"Deleted {len(found)}", err=json)


orphans = with_driver_options(_orphans, chosen_provider(sys.argv[1:]))
