"""mctl regenerate-certs: make certificates anew."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.confirm import confirmed
from cli.each import each
from cli.options import MachineNames

QUESTION = "Regenerate TLS machine certs?  Warning: this is irreversible."


def regenerate_certs(
    names: MachineNames = None,
    *,
    force: Annotated[bool, typer.Option("--force", "-f", "--yes", "-y", help="Do not ask")] = False,
    client_certs: Annotated[bool, typer.Option("--client-certs", help="Make the client certificate anew too")] = False,
    ca: Annotated[
        bool, typer.Option("--ca", help="Make a new authority too, for all machines of the stack, step by step")
    ] = False,
) -> None:
    """Make certificates of machines anew, and restart Docker with them; containers go on running.

    Hosts are reached over SSH, so it also helps where certificates have ended. A new authority overlaps with the one
    before until every machine has changed over. Stopped half-way, the same command goes on.

    Example: `mctl regenerate-certs web-1`
    """
    from infra.stacks import certificates, lookup

    machines = names or [lookup.default()]
    if not force and not confirmed(QUESTION, f"mctl regenerate-certs -y {' '.join(machines)}"):
        return
    each(
        certificates.one_of_each_stack(machines) if ca else machines,
        lambda name, report: certificates.regenerate(name, report, client=client_certs, authority=ca),
        'Regenerated the TLS certificates of machine "{}".',
    )
