"""By how much machines would cost more or less each month, where their provider's own API tells its prices.

A price is never waited for longer than a moment, and never fails what it is told beside.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from infra.components import drivers
from infra.components.drivers import Prices
from infra.machine import MachineSpec
from infra.stacks import effects
from infra.stacks.progress import MACHINE, owner
from infra.stacks.steps import Change

SECONDS = 3.0


class _Step(NamedTuple):
    """What the price of one machine goes by until now and from then on; empty where there is none."""

    prices: Prices
    before: str
    after: str


def differences(changes: Sequence[Change], declared: Mapping[str, Any], known: Sequence[str]) -> dict[str, float]:
    """Give US dollars a month by machine, less than 0 for what is saved, where they are known.

    known: the machines that are declared, or still there. No API is asked where no VM is made, resized or removed.
    """
    of_machines: dict[str, list[Change]] = {}
    for change in changes:
        of_machines.setdefault(owner(change.resource, known), []).append(change)
    steps = {name: _step(name, own, declared.get(name)) for name, own in of_machines.items() if name}
    told = _ask([step for step in steps.values() if step])
    found = {}
    for name, step in steps.items():
        before, after = (told.get((step.prices, size)) for size in (step.before, step.after)) if step else (None, None)
        if before is not None and after is not None:
            found[name] = after - before
    return found


def _ask(steps: Sequence[_Step]) -> dict[tuple[Prices, str], float]:
    """Ask all providers at once, and give what they have told in time."""
    wanted: dict[Prices, set[str]] = {}
    for step in steps:
        wanted.setdefault(step.prices, set()).update({step.before, step.after} - {""})
    told = {(prices, ""): 0.0 for prices in wanted}

    def ask(prices: Prices, sizes: set[str]) -> None:
        with suppress(Exception):  # whatever it is: a preview without prices is one
            told.update({(prices, size): price for size, price in prices.ask(sizes).items()})

    asking = [threading.Thread(target=ask, args=each, daemon=True) for each in wanted.items()]
    end = time.monotonic() + SECONDS
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join(max(0.0, end - time.monotonic()))
    return dict(told)


def _step(name: str, changes: Sequence[Change], entry: Mapping[str, Any] | None) -> _Step | None:
    whole = [change for change in changes if change.kind == MACHINE and change.op in ("create", "delete")]
    vms = [change for change in changes if effects.VM.search(change.kind)]
    provider = entry["provider"] if entry else whole[0].before.get("provider") if whole else None
    if not provider or not (whole or vms):
        return None
    driver = drivers.load(provider)
    if not driver.prices:
        return None
    made = next((change.before for change in vms if change.op != "create"), None)
    before = driver.prices.made(made) if made else ""
    after = ""
    if entry:
        options = MachineSpec.from_config(name, entry).options
        after = driver.prices.declared(drivers.read_args(driver, name, options))
    return _Step(driver.prices, before, after) if before != after else None
