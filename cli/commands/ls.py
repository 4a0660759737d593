"""mctl ls: list machines and their states."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from cli import reads
from cli.options import Json, Timeout
from cli.output import as_json, print_error, table

if TYPE_CHECKING:
    from infra.stacks.listing import Listed

HEADER = ("NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS")


def ls(
    *,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names alone, asking no machine")] = False,
    timeout: Timeout = 10,
    json: Json = False,
) -> None:
    """List machines and their states. All are asked at once; * marks the one that docker uses in this shell.

    Example: `mctl ls --timeout 3`
    """
    if quiet:
        typer.echo(reads.ls_names(json=json), nl=False)
        return
    from infra.stacks import listing

    machines, error = listing.machines(timeout)
    if error:
        print_error(error)
    rows = [asdict(machine) for machine in machines]
    typer.echo(as_json(rows) if json else table(HEADER, [_cells(machine) for machine in machines]), nl=False)


def _cells(row: Listed) -> tuple[str, ...]:
    active = "*" if row.active else "-"
    version = f"v{row.docker_version}" if row.docker_version else "Unknown"
    return (row.name, active, row.driver, row.state, row.url, row.swarm, version, row.error)
