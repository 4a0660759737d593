"""Differences in price: only where something is made, resized or removed, and never at the cost of a preview."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import pytest

from infra.components.drivers import Prices, digitalocean
from infra.stacks import prices
from infra.stacks.progress import MACHINE
from infra.stacks.steps import Change

DROPLET = "digitalocean:index/droplet:Droplet"
SIZES = {"s-1vcpu-1gb": 6.0, "s-1vcpu-2gb": 12.0}
SMALL, USUAL = SIZES
WEB = {"web": {"provider": "digitalocean"}}
LARGE = {"web": {"provider": "digitalocean", "options": {"size": "s-8vcpu-16gb"}}}
MADE = (Change("web", MACHINE, "create", ()), Change("web-droplet", DROPLET, "create", ()))


@dataclass(eq=False)
class Api:
    """What a provider was asked for."""

    asked: list[set[str]]
    failure: Exception | None = None
    until: Event | None = None

    def __call__(self, sizes: Collection[str]) -> dict[str, float]:
        self.asked.append(set(sizes))
        if self.until:
            self.until.wait(30)
        if self.failure:
            raise self.failure
        return {size: price for size, price in SIZES.items() if size in sizes}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api([])
    of = digitalocean.DRIVER.prices
    assert of
    own = Prices(declared=of.declared, made=of.made, ask=api)
    monkeypatch.setattr(digitalocean, "DRIVER", replace(digitalocean.DRIVER, prices=own))
    yield api
    if api.until:
        api.until.set()


def resized(before: str) -> Change:
    return Change("web-droplet", DROPLET, "update", ("size",), before={"size": before})


def gone() -> tuple[Change, ...]:
    return (
        Change("web", MACHINE, "delete", (), before={"provider": "digitalocean"}),
        Change("web-droplet", DROPLET, "delete", (), before={"size": SMALL}),
    )


@pytest.mark.parametrize(
    ("changes", "declared", "told"),
    [
        (MADE, WEB, {"web": 12}),
        (MADE[:1], WEB, {"web": 12}),  # of a stack that was never made, no more is known
        (gone(), {}, {"web": -6}),
        ((resized(SMALL),), WEB, {"web": 6}),
        ((resized(SMALL), Change("web-configure", "command:remote:Command", "update", ())), WEB, {"web": 6}),
        ((resized(SMALL),), LARGE, {}),  # which has no price
        ((resized("one of the past"),), WEB, {}),
        ((*MADE, Change("db", MACHINE, "create", ())), {**WEB, "db": {"provider": "aws"}}, {"web": 12}),
    ],
)
def test_the_difference_is_what_comes_less_what_goes_where_both_are_known(
    api: Api, changes: tuple[Change, ...], declared: dict[str, Any], told: dict[str, float]
) -> None:
    assert prices.differences(changes, declared, [*declared, "web"]) == told
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("changes", "declared"),
    [
        ((), WEB),
        ((Change("web-droplet", DROPLET, "update", ("tags",), before={"size": USUAL}),), WEB),
        ((Change("web-droplet", DROPLET, "replace", ("image",), before={"size": USUAL}),), WEB),
        ((Change("web-firewall", "digitalocean:index/firewall:Firewall", "create", ()),), WEB),
        ((Change("authority", "tls:index/privateKey:PrivateKey", "create", ()),), WEB),
        ((Change("web", MACHINE, "create", ()),), {"web": {"provider": "generic", "options": {"ip_address": "h"}}}),
    ],
)
def test_nobody_is_asked_where_no_price_could_change(
    api: Api, changes: tuple[Change, ...], declared: dict[str, Any]
) -> None:
    assert prices.differences(changes, declared, list(declared)) == {}
    assert api.asked == []


def test_all_machines_of_a_provider_are_one_question(api: Api) -> None:
    changes = (*MADE, Change("db-droplet", DROPLET, "update", ("size",), before={"size": USUAL}))
    declared = {**WEB, "db": {"provider": "digitalocean", "options": {"size": SMALL}}}
    assert prices.differences(changes, declared, ["web", "db"]) == {"web": 12, "db": -6}
    assert api.asked == [{SMALL, USUAL}]


def test_a_question_that_fails_leaves_prices_out(api: Api) -> None:
    api.failure = RuntimeError("401")
    assert prices.differences(MADE, WEB, ["web"]) == {}


def test_an_answer_that_does_not_come_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "SECONDS", 0.1)
    api.until = Event()
    began = time.monotonic()
    assert prices.differences(MADE, WEB, ["web"]) == {}
    assert time.monotonic() - began < 5
