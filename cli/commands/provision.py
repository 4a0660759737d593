"""mctl provision: install and configure Docker once more."""

from __future__ import annotations

from cli.each import each
from cli.options import MachineNames


def provision(names: MachineNames = None) -> None:
    """Install and configure Docker once more, with the settings that machines have.

    Mends what was deleted or switched off on the host: packages, certificates, the service. Containers keep running.

    Example: `mctl provision web-1`
    """
    from infra.stacks import changes

    each(names, changes.provision, 'Machine "{}" was provisioned.')
