"""What is tried where a provider has no room for a machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.errors import StackError
from infra.machine import MachineSpec
from infra.stacks import project, records
from infra.stacks.progress import Progress
from infra.stacks.room import alternatives, up_where_there_is
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
GROUP = {"provider": "aws", "zones": ["a", "b", "c"], "options": {"zone": "a", "instance_type": "t3.small"}}
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


class Opened:
    """A stack at a provider that has room for so many machines in each zone."""

    def __init__(self, folder: Path, **room: int) -> None:
        self.folder, self.name, self.room, self.made, self.ups = folder, "prod", room, dict[str, str](), 0

    def up(self, mend: str) -> dict[str, Any]:
        self.ups += 1
        reasons = []
        for name, entry in project.machines(self.folder, self.name).items():
            zone = entry["options"]["zone"]
            if self.made.get(name) != zone and not self.room[zone]:
                reasons.append((name, f"api error InsufficientInstanceCapacity: none in {zone}"))
            elif self.made.get(name) != zone:
                self.made[name], self.room[zone] = zone, self.room[zone] - 1
        if reasons:
            raise StackError(reasons[0][1], machine=reasons[0][0], mend=mend, reasons=reasons)
        return {}


def declared(folder: Path) -> Any:
    return project.settings(folder, "prod")["mctl:groups"]["web"]


@pytest.fixture
def folder(mctl_home: Path) -> Path:
    folder = project.find_project()
    project.declare_settings(folder, "prod", {"mctl:groups": {"web": {"count": 4, **GROUP}}})
    return folder


def test_of_a_group_those_alone_go_elsewhere_for_which_there_is_no_room(folder: Path) -> None:
    opened, told = Opened(folder, a=2, b=1, c=5), list[Progress]()
    up_where_there_is(opened, told.append, mend="again")  # type: ignore[arg-type]
    assert opened.made == {"web-1": "a", "web-2": "a", "web-3": "b", "web-4": "c"}
    assert declared(folder) == {
        "count": 4,
        **GROUP,
        "machines": {"web-3": {"options": {"zone": "b"}}, "web-4": {"options": {"zone": "c"}}},
    }
    assert told == [
        Progress("web-3", "zone a has no room: trying b", notice=True),
        Progress("web-4", "zone a has no room: trying b", notice=True),
        Progress("web-4", "zone b has no room: trying c", notice=True),
    ]
    assert opened.ups == 3


def test_where_no_zone_is_left_the_failure_is_told_and_the_others_stay(folder: Path) -> None:
    opened = Opened(folder, a=3, b=0, c=0)
    with pytest.raises(StackError) as failed:
        up_where_there_is(opened, lambda _: None, mend="again")  # type: ignore[arg-type]
    assert (failed.value.machine, failed.value.mend, opened.ups) == ("web-4", "again", 3)
    assert opened.made == {"web-1": "a", "web-2": "a", "web-3": "a"}


def test_a_machine_that_is_there_is_moved_to_no_other_zone(folder: Path) -> None:
    records.save(outputs("web-4"), stack="prod", project=str(folder))
    with pytest.raises(StackError):
        up_where_there_is(Opened(folder, a=3, b=3, c=3), lambda _: None, mend="again")  # type: ignore[arg-type]
    assert declared(folder) == {"count": 4, **GROUP}
