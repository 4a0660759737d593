"""mctl ls: list machines and their states."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import reads
from cli.options import Json, Timeout
from cli.output import as_json, table

if TYPE_CHECKING:
    from infra.errors import RecordError
    from infra.stacks.records import Record
    from infra.stacks.states import State

HEADER = ("NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS")


def ls(
    *,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print names alone, asking no machine")] = False,
    timeout: Timeout = 10,
    json: Json = False,
) -> None:
    """List machines and their states. All are asked at once; * marks the one that docker uses in this shell."""
    if quiet:
        typer.echo(reads.ls_names(json=json), nl=False)
        return
    rows = _rows(timeout)
    typer.echo(as_json(rows) if json else table(HEADER, [_cells(row) for row in rows]), nl=False)


def _rows(timeout: float) -> list[dict[str, Any]]:
    from infra.errors import NotFoundError, RecordError
    from infra.stacks import records, states

    rows: dict[str, dict[str, Any] | None] = {}
    readable = []
    for name in records.names():
        try:
            readable.append(records.load(name))
            rows[name] = None
        except NotFoundError:  # removed since it was listed
            continue
        except RecordError as error:
            rows[name] = _broken(name, error)
    for record, state in zip(readable, states.probe_all(readable, timeout), strict=True):
        rows[record.name] = _row(record, state)
    return [row for row in rows.values() if row]


def _row(record: Record, state: State) -> dict[str, Any]:
    return {
        "name": record.name,
        "active": os.environ.get("DOCKER_HOST") == record.docker_url,
        "driver": record.provider,
        "state": state.word,
        "url": record.docker_url if state.word == "Running" else "",
        "swarm": "",
        "docker_version": state.docker_version,
        "error": state.error,
        "stack": record.stack,
        "milliseconds": state.milliseconds,
    }


def _broken(name: str, error: RecordError) -> dict[str, Any]:
    texts = dict.fromkeys(("url", "swarm", "docker_version", "stack"), "")
    return {
        "name": name,
        "active": False,
        "driver": "",
        "state": "Error",
        **texts,
        "error": f"{error.message}; {error.mend}",
        "milliseconds": 0,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    active = "*" if row["active"] else "-"
    version = f"v{row['docker_version']}" if row["docker_version"] else "Unknown"
    return (row["name"], active, row["driver"], row["state"], row["url"], row["swarm"], version, row["error"])
