"""mctl import: take over machines that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.driver_options import with_driver_options
from cli.each import each
from cli.export_passphrase import PassphraseFile, ask
from cli.options import Json
from cli.output import as_json, table

HEADER = ("NAME", "DRIVER", "STACK", "LOGIN", "CERTIFICATES END", "NOTES")
Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME...|FILE]", help="Machines [default: all]")]
From = Annotated[
    Path | None,
    typer.Option("--from", help="docker-machine's store, or a project's folder [default: docker-machine's own]"),
]
HostKey = Annotated[str, typer.Option(help="Public SSH key of the host; accept-new trusts what answers now")]
Provider = Annotated[str, typer.Option(help="Where the instance of --instance-id is, its region by the environment")]
InstanceId = Annotated[str, typer.Option(help="Instance that is there already, by its id at --provider")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and ask no host; as JSON with --json")]


def _import(
    names: Names = None,
    *,
    place: From = None,
    provider: Provider = "",
    instance_id: InstanceId = "",
    ssh_host_key: HostKey = "",
    passphrase_file: PassphraseFile = None,
    dry_run: DryRun = False,
    json: Json = False,
    options: Mapping[str, Any],
) -> None:
    """Take over machines: of docker-machine, of another project, of an exported file, or a host by its address.

    An instance of a cloud is found by its id too; its power and its end stay with the cloud.
    Their containers go on running, and where they come from stays as it is.

    Example: `mctl import --dry-run --from ~/.docker/machine`
    """
    from infra.stacks import importing

    names = names or []
    if instance_id:
        options = {**options, "ip_address": importing.instance_address(provider, instance_id)}
    source: importing.Source
    if "ip_address" in options:
        source = importing.HostByAddress(options, ssh_host_key)
    else:
        source = importing.choose(place, names, ssh_host_key, lambda: ask(passphrase_file, twice=False))
    parts = source.parts(names)
    if not dry_run:
        each(parts, source.take, f'Imported {source.noun} "{{}}".', there=False)
        return
    rows, failure = importing.look_all(source, parts)
    typer.echo(as_json(rows) if json else table([HEADER, *map(_cells, rows)]), nl=False)
    raise typer.Exit(failure.exit_code if failure else 0)


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    notes = f"Error: {row['error']}" if "error" in row else "; ".join(row["notes"])
    known = [str(row.get(key, "")) for key in ("name", "driver", "stack", "login")]
    return (*known, row.get("certificates_end", "")[:10], notes)


import_ = with_driver_options(_import, "generic")
