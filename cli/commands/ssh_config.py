"""mctl ssh-config: print what your own ssh needs to reach machines."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json, machine_names
from cli.output import as_json, print_error
from infra.errors import MctlError, UsageError
from infra.stacks import lookup, records, ssh


def ssh_config(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Names of machines [default: all]", autocompletion=machine_names),
    ] = None,
    *,
    write: Annotated[
        bool, typer.Option("--write", help="Keep a file of all machines instead, for your ssh_config to include.")
    ] = False,
    json: Json = False,
) -> None:
    """Print what reaches machines by name in your ssh_config.

    With --write, `ssh web-1`, `scp`, `rsync` and `docker -H ssh://web-1` work by themselves, for new machines too.

    Example: `mctl ssh-config --write`
    """
    if write and (names or json):
        raise UsageError("--write keeps a file of all machines", mend="mctl ssh-config --write")
    found, failed = _found(names)
    if write:
        path = ssh.write_config(found)
        typer.echo(path)
        typer.echo(f'Once, put this line at the top of ~/.ssh/config:\nInclude "{path}"', err=True)
    elif json:
        typer.echo(as_json({record.name: ssh.settings(record) for record in found}), nl=False)
    else:
        typer.echo("\n".join(map(ssh.host_block, found)), nl=False)
    if failed:
        raise typer.Exit(failed.exit_code)


def _found(names: list[str] | None) -> tuple[list[records.Record], MctlError | None]:
    """Find the machines that have SSH; of all, one that can't be read is told, and the others are found."""
    found: list[records.Record] = []
    failed = None
    for name in names or records.names():
        try:
            record = lookup.find(name)
            if names:
                ssh.require(record)
            if record.ssh_port:
                found.append(record)
        except MctlError as error:
            if names:
                raise
            print_error(error)
            failed = error
    return found, failed
