"""mctl start: switch machines on."""

from __future__ import annotations

from cli.each import each
from cli.options import MachineNames


def start(names: MachineNames = None) -> None:
    """Switch machines on, and wait until Docker answers. One that runs already is left alone.

    Example: `mctl start web-1 web-2`
    """
    from infra.stacks import power

    each(
        names,
        lambda name, report: power.set_running(name, running=True, report=report),
        'Machine "{}" was started.',
    )
