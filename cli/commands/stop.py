"""mctl stop: switch machines off."""

from __future__ import annotations

from cli.each import each
from cli.options import MachineNames


def stop(names: MachineNames = None) -> None:
    """Switch machines off: the guest is asked to shut down. One that is off already is left alone.

    Example: `mctl stop web-1 web-2`
    """
    from infra.stacks import power

    each(
        names,
        lambda name, report: power.set_running(name, running=False, report=report),
        'Machine "{}" was stopped.',
    )
