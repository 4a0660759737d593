"""mctl backend: show where the stack states are, or move them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.options import Json
from cli.output import as_json
from cli.progress import progress
from infra.errors import AlreadyError, UsageError

Action = Annotated[str, typer.Argument(metavar="[set]", help="set moves the stacks; without it, show where they are")]
Url = Annotated[str, typer.Argument(metavar="[URL]", help="s3://, gs://, azblob://, postgres:// or file://")]
SecretsProvider = Annotated[
    str, typer.Option(help="passphrase, awskms://…, gcpkms://…, azurekeyvault://… or hashivault://…, with set")
]


def backend(action: Action = "", url: Url = "", *, secrets_provider: SecretsProvider = "", json: Json = False) -> None:
    """Show where the project's stack states are, or move all of them, with their secrets, to be shared.

    Stopped at any moment, the same command goes on. What was moved is removed from where it was once it was read back.
    Pulumi.yaml names the new place, so that pulumi by hand uses the same.

    Example: `mctl backend set s3://team-states --secrets-provider awskms://alias/mctl`
    """
    if action not in ("", "set") or (action == "set" and not (url or secrets_provider)):
        raise UsageError("it must be `mctl backend`, or `mctl backend set URL`", mend="mctl backend --help")
    from infra.stacks import backends, project

    folder = project.find_project()
    if action:
        _set(folder, url, secrets_provider, quietly=json)
    facts = backends.show(folder)
    if json:
        typer.echo(as_json(facts), nl=False)
    elif not action:
        typer.echo(f"{facts['url']}\nsecrets: {', '.join(facts['secrets_providers'])}")


def _set(folder: Path, url: str, secrets_provider: str, *, quietly: bool) -> None:
    from infra.stacks import backends

    with progress() as report:
        if secrets_provider:
            encrypted = backends.re_encrypt(folder, secrets_provider, report)
            typer.echo(f"Encrypted the secrets of {len(encrypted)} stack(s) by {secrets_provider}", err=quietly)
        if url:
            try:
                moved = backends.move(folder, url, report)
                typer.echo(f"Moved {len(moved)} stack(s) to {url}", err=quietly)
            except AlreadyError as error:
                typer.echo(error.message, err=quietly)
