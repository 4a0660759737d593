"""Where new machines find room: in another of their zones, or at the full price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from infra.components import drivers
from infra.errors import StackError
from infra.machine import MachineSpec
from infra.stacks import project, records
from infra.stacks.progress import Progress, Report
from infra.stacks.store import Stack

Alternatives = Iterator[tuple[str, MachineSpec]]


def up_where_there_is(opened: Stack, report: Report, *, mend: str) -> Mapping[str, Mapping[str, float]]:
    """Bring up the stack, with each new machine for which there is no room otherwise than as it is declared.

    What it is then is declared for that machine alone; the others stay as they are.
    """
    left: dict[str, Alternatives] = {}
    while True:
        try:
            return opened.up(mend=mend)
        except StackError as error:
            others = list(_others(opened, error, left))
            if not others:
                raise
        for notice, spec in others:
            report(Progress(spec.name, notice, notice=True))
            project.declare(opened.folder, opened.name, spec)


def _others(opened: Stack, error: StackError, left: dict[str, Alternatives]) -> Alternatives:
    """Give what is left to be tried, of each new machine that found no room."""
    declared = project.machines(opened.folder, opened.name)
    for name, reason in dict(error.reasons).items():
        if name not in declared or records.exists(name):
            continue
        spec = MachineSpec.from_config(name, declared[name])
        if any(words in reason.lower() for words in drivers.load(spec.provider).no_capacity):
            other = next(left.setdefault(name, alternatives(spec)), None)
            yield from [other] if other else ()


def alternatives(spec: MachineSpec) -> Alternatives:
    """Give what to say and to declare where there is no room: the zones that are left, then all at the full price."""
    tried = spec.options.get("zone")
    for zone in spec.zones[spec.zones.index(tried) + 1 :] if tried in spec.zones else spec.zones:
        full = f"zone {tried} has" if tried else "there is"
        yield f"{full} no room: trying {zone}", replace(spec, options={**spec.options, "zone": zone})
        tried = zone
    driver = drivers.load(spec.provider)
    args = drivers.read_args(driver, spec.name, spec.options)
    if driver.spot and getattr(args, driver.spot[0]) and args.spot_fallback:
        options = {key: value for key, value in spec.options.items() if key not in (*driver.spot, "spot_fallback")}
        spec = replace(spec, options=options | ({"zone": spec.zones[0]} if spec.zones else {}))
        yield "there is no spare capacity: the full price is paid", spec
        yield from alternatives(spec)
