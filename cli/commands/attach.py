"""mctl attach: have every machine of a project on this computer too."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.export_passphrase import first_line
from cli.progress import progress

Url = Annotated[str, typer.Argument(metavar="[URL]", help="Backend of the stacks [default: what Pulumi.yaml names]")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help="File whose first line opens the stacks' secrets; kept here where there is none yet"),
]


def attach(url: Url = "", *, passphrase_file: PassphraseFile = None) -> None:
    """Have every machine of a project on this computer too: in a clone of it, or by the URL of its backend alone.

    Run again, it takes over what others made, changed and removed since.

    Example: `mctl attach s3://team-states --passphrase-file team.txt`
    """
    from infra.stacks import attaching

    secret = first_line(passphrase_file) if passphrase_file else ""
    with progress() as report:
        kept = attaching.attach(url, secret, report)
    for record in kept:
        typer.echo(f"{record.name} {record.docker_url}")
    if not kept:
        typer.echo("The project has no machines yet", err=True)
