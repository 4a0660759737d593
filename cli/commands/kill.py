"""mctl kill: switch machines off at once."""

from __future__ import annotations

from cli.each import each
from cli.options import MachineNames


def kill(names: MachineNames = None) -> None:
    """Switch machines off at once, without asking the guest. One that is off already is left alone.

    Example: `mctl kill web-1`
    """
    from infra.stacks import power

    each(
        names,
        lambda name, report: power.set_running(name, running=False, report=report, hard=True),
        'Machine "{}" was killed.',
    )
