"""mctl import: take over machines that are there already."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.each import each
from cli.options import Json
from cli.output import as_json, table
from infra.errors import MctlError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

HEADER = ("NAME", "DRIVER", "STACK", "LOGIN", "CERTIFICATES END", "NOTES")
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Machines [default: all]")]
From = Annotated[
    Path | None, typer.Option("--from", help="Store of docker-machine [default: where docker-machine looks]")
]
HostKey = Annotated[str, typer.Option(help="Public SSH key of the host; accept-new trusts what answers now")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and ask no host")]


def import_(
    names: Names = None,
    *,
    source: From = None,
    ssh_host_key: HostKey = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take over machines of docker-machine: nothing on their hosts is touched, and the store stays as it is."""
    from infra.stacks import adoption, docker_machine_store

    store = (source or docker_machine_store.default_path()).absolute()
    names = names or docker_machine_store.names(store)
    if not names:
        raise NotFoundError(f"there is no machine to import in {store}", mend="mctl import --from FOLDER")
    if dry_run:
        _show(names, lambda name: adoption.look(store, name), json=json)
    else:
        each(names, lambda name, report: adoption.adopt(store, name, ssh_host_key, report), 'Imported machine "{}".')


def _show(names: list[str], look: Callable[[str], dict[str, Any]], *, json: bool) -> None:
    """Print what would be done, with the failures among it. Ends with the exit code of the first."""
    rows, code = [], 0
    for name in names:
        try:
            rows.append(look(name))
        except MctlError as error:
            rows.append({"name": name, "error": error.message})
            code = code or error.exit_code
    cells = [_cells(row) for row in rows]
    typer.echo(as_json(rows) if json else table(HEADER, cells), nl=False)
    raise typer.Exit(code)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    if "error" in row:
        return (row["name"], "", "", "", "", f"Error: {row['error']}")
    end = row["certificates_end"][:10]
    return (row["name"], row["driver"], row["stack"], row["login"], end, "; ".join(row["notes"]))
