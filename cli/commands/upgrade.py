"""mctl upgrade: bring Docker on machines to a newer version."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.each import each
from cli.options import MachineNames


def upgrade(
    names: MachineNames = None,
    *,
    engine_version: Annotated[
        str, typer.Option(help="Version to pin, such as 27 or 27.3.1 [default: the newest]")
    ] = "",
) -> None:
    """Bring Docker on machines to the newest version, of those that --engine-version pins.

    A machine that is switched off is started. Containers keep running, but in Swarm mode. Where the new one does not
    come up, the packages before are installed again; not on Arch and Alpine, which keep none.

    Example: `mctl upgrade web-1 web-2 --engine-version 28`
    """
    from infra.stacks import changes, lookup, records

    machines = names or [lookup.default()]
    before = {name: records.load(name).engine_version for name in machines if records.exists(name)}
    each(
        machines,
        lambda name, report: changes.upgrade(name, engine_version, report),
        lambda name: f"Docker {before.get(name, '?')} -> {records.load(name).engine_version} on {name}",
    )
