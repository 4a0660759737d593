"""mctl restart: switch machines off and on again."""

from __future__ import annotations

from cli.each import each
from cli.options import MachineNames


def restart(names: MachineNames = None) -> None:
    """Restart machines, and wait until Docker answers. One that is off is switched on.

    Example: `mctl restart web-1`
    """
    from infra.stacks import power

    each(names, power.restart, 'Machine "{}" was restarted.')
