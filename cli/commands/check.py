"""mctl check: look whether machines are still as they were configured."""

from __future__ import annotations

from dataclasses import asdict

import typer

from cli.options import Json, MachineNames
from cli.output import as_json
from cli.progress import progress


def check(names: MachineNames = None, *, json: Json = False) -> None:
    """Check machines one thing after the other, and say what mends each; nothing is changed.

    Docker over TLS and the certificates from here; by SSH the host key, the clock, the engine's version, daemon.json,
    the TLS files, the unit's drop-in, whether it starts at boot, and the disk's space. Exits
    with 0 only if all is well.

    Example: `mctl check web-1`
    """
    from infra.stacks import checks, lookup

    with progress() as report:
        findings = [finding for name in names or [lookup.default()] for finding in checks.examine(name, report)]
    if json:
        typer.echo(as_json([asdict(finding) for finding in findings]), nl=False)
    else:
        width = max(len(finding.name) for finding in findings)
        beside = max(len(finding.machine) for finding in findings)
        for finding in findings:
            sign = "ok" if finding.ok else "FAILED"
            typer.echo(f"{finding.machine:<{beside}}  {sign:<6}  {finding.name:<{width}}  {finding.value}")
            if finding.mend:
                typer.echo(f"{'':<{beside}}  {'':<6}  {'':<{width}}  mend: {finding.mend}")
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)
