"""What is tried where a provider has no room for a machine."""

from __future__ import annotations

from typing import Any

import pytest

from infra.machine import MachineSpec
from infra.stacks.room import alternatives

FULL_PRICE = "there is no spare capacity: the full price is paid"


@pytest.mark.parametrize(
    ("provider", "spot"),
    [
        ("aws", {"request_spot_instance": True, "spot_price": "0.01"}),
        ("gcp", {"spot": True}),
        ("azure", {"spot": "true"}),
    ],
)
def test_every_zone_is_tried_for_spare_capacity_and_then_at_the_full_price(provider: str, spot: dict[str, Any]) -> None:
    options = {**spot, "spot_fallback": True, "zone": "b"}
    found = list(alternatives(MachineSpec(name="web", provider=provider, options=options, zones=("a", "b", "c"))))
    assert [(notice, dict(spec.options)) for notice, spec in found] == [
        ("zone b has no room: trying c", {**options, "zone": "c"}),
        (FULL_PRICE, {"zone": "a"}),
        ("zone a has no room: trying b", {"zone": "b"}),
        ("zone b has no room: trying c", {"zone": "c"}),
    ]


def test_nobody_pays_the_full_price_who_did_not_allow_it() -> None:
    declared = MachineSpec(name="web", provider="aws", options={"request_spot_instance": True})
    assert list(alternatives(declared)) == []


def test_who_did_not_ask_for_spare_capacity_is_told_of_none() -> None:
    assert list(alternatives(MachineSpec(name="web", provider="aws", options={"spot_fallback": True}))) == []
