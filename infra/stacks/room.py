"""Where a new machine finds room: in another of its zones, or at the full price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from infra.components import drivers
from infra.errors import StackError
from infra.machine import MachineSpec
from infra.stacks import project
from infra.stacks.progress import Progress, Report
from infra.stacks.store import Stack


def up_where_there_is(opened: Stack, spec: MachineSpec, report: Report) -> Mapping[str, Mapping[str, float]]:
    """Bring up the stack with a new machine, and otherwise where there is no room for it as it is declared."""
    mend = f"mctl create {spec.name} … once more goes on from here; mctl rm {spec.name} clears it"
    full = drivers.load(spec.provider).no_capacity
    left = alternatives(spec)
    while True:
        try:
            return opened.up(mend=mend)
        except StackError as error:
            if not any(words in error.message.lower() for words in full) or not (other := next(left, None)):
                raise
        notice, spec = other
        report(Progress(spec.name, notice, notice=True))
        project.declare(opened.folder, opened.name, spec)


def alternatives(spec: MachineSpec) -> Iterator[tuple[str, MachineSpec]]:
    """Give what to say and to declare where there is no room: the zones that are left, then all at the full price."""
    tried = spec.options.get("zone")
    for zone in spec.zones[spec.zones.index(tried) + 1 :] if spec.zones else ():
        yield f"zone {tried} has no room: trying {zone}", replace(spec, options={**spec.options, "zone": zone})
        tried = zone
    driver = drivers.load(spec.provider)
    args = drivers.read_args(driver, spec.name, spec.options)
    if driver.spot and getattr(args, driver.spot[0]) and args.spot_fallback:
        options = {key: value for key, value in spec.options.items() if key not in (*driver.spot, "spot_fallback")}
        spec = replace(spec, options=options | ({"zone": spec.zones[0]} if spec.zones else {}))
        yield "there is no spare capacity: the full price is paid", spec
        yield from alternatives(spec)
