"""mctl doctor: check that this computer can create machines."""

from __future__ import annotations

from dataclasses import asdict

import typer

from cli.driver_options import chosen_provider
from cli.options import Json
from cli.output import as_json

FAILED = 3  # what `create` would end with


def doctor(*, json: Json = False) -> None:
    """Check, one by one, the things that `mctl create` needs, and say what mends each.

    Exits with 0 only if `create` could run for the default provider.

    Example: `mctl doctor --json`
    """
    from infra.stacks.doctor import could_create, examine

    findings = examine(chosen_provider([]))
    if json:
        typer.echo(as_json([asdict(finding) for finding in findings]), nl=False)
    else:
        width = max(len(finding.name) for finding in findings)
        for finding in findings:
            sign = "ok" if finding.ok else "FAILED" if finding.needed else "warning"
            typer.echo(f"{sign:<7}  {finding.name:<{width}}  {finding.value}")
            if finding.mend and not finding.ok:
                typer.echo(f"{'':<7}  {'':<{width}}  mend: {finding.mend}")
    if not could_create(findings):
        raise typer.Exit(FAILED)
