"""mctl doctor: check that this computer can create machines."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import typer

from cli.create_options import Provider
from cli.driver_options import DEFAULT_PROVIDER, chosen_provider, with_driver_options
from cli.options import Json
from cli.output import as_json

FAILED = 3  # what `create` would end with


def _doctor(*, provider: Provider = DEFAULT_PROVIDER, json: Json = False, options: Mapping[str, Any]) -> None:
    """Check, one by one, the things that `mctl create` needs, and say what mends each.

    At a provider it asks who you are, where, and which permissions and quotas are missing. Exits with 0 only if
    `create` could run.

    Example: `mctl doctor --provider qemu`
    """
    from infra.stacks.doctor import could_create, examine

    findings = examine(provider, options)
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


doctor = with_driver_options(_doctor, chosen_provider(sys.argv[1:]))
