"""mctl policy: print the permissions that a provider's machines take."""

from __future__ import annotations

from typing import Annotated

import typer

from infra.components.drivers import load
from infra.errors import UsageError


def policy(provider: Annotated[str, typer.Argument(help="Where the machines are to run", metavar="PROVIDER")]) -> None:
    """Print the least permissions that making, switching and removing machines takes, as the provider writes them.

    Example: `mctl policy aws`
    """
    driver = load(provider)
    if not driver.policy:
        raise UsageError(f"provider {driver.name} knows no permissions: nothing there is asked for any")
    typer.echo(driver.policy)
