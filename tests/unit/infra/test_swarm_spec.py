"""Who manages a Swarm, and what its declaration may say."""

from __future__ import annotations

from typing import Any

import pytest

from infra.errors import UsageError
from infra.machine import MachineSpec, SwarmSpec


def machines(count: int, *off: str) -> list[MachineSpec]:
    names = [f"web-{number}" for number in range(1, count + 1)]
    return [MachineSpec(name=name, provider="qemu", running=name not in off) for name in names]


@pytest.mark.parametrize(("count", "managers"), [(1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (9, 3)])
def test_an_odd_number_of_the_first_machines_manages_it(count: int, managers: int) -> None:
    expected = ["web-1", "web-2", "web-3"][:managers]
    assert SwarmSpec().managers_of(machines(count)) == expected


def test_five_manage_it_where_five_are_asked_for_and_there() -> None:
    assert SwarmSpec(managers=5).managers_of(machines(4)) == ["web-1", "web-2", "web-3"]
    assert len(SwarmSpec(managers=5).managers_of(machines(6))) == 5


def test_the_lead_is_a_manager_the_one_declared_or_the_first_that_is_on() -> None:
    assert SwarmSpec().lead_of(machines(5)) == "web-1"
    assert SwarmSpec().lead_of(machines(5, "web-1")) == "web-2"
    assert SwarmSpec().lead_of(machines(5, "web-1", "web-2", "web-3")) == "web-1"
    led = SwarmSpec(lead="web-4")
    assert (led.lead_of(machines(5)), led.managers_of(machines(5))) == ("web-4", ["web-4", "web-1", "web-2"])
    assert led.lead_of(machines(3)) == "web-1"  # its machine is gone


@pytest.mark.parametrize("count", [0, 2, 4, 9, -1])
def test_a_number_of_managers_that_is_even_or_too_great_is_refused(count: int) -> None:
    with pytest.raises(UsageError) as told:
        SwarmSpec(managers=count)
    assert told.value.message == f"a Swarm of {count} managers: it must be an odd number from 1 to 7"


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"manager": 3}, "mctl:swarm has no setting 'manager'; did you mean 'managers'?"),
        ({"managers": "three"}, "mctl:swarm: managers is 'three' and must be a whole number"),
        ({"autolock": 1}, "mctl:swarm: autolock is 1 and must be true or false"),
        (True, "mctl:swarm is True and must be a mapping"),
    ],
)
def test_what_a_declaration_can_not_mean_is_refused(declared: Any, said: str) -> None:
    with pytest.raises(UsageError) as told:
        SwarmSpec.from_config(declared)
    assert told.value.message == said


def test_a_declaration_is_read_as_it_was_written() -> None:
    spec = SwarmSpec(managers=5, autolock=True, lead="web-2", networks=("192.0.2.0/24",))
    assert SwarmSpec.from_config(spec.to_config()) == spec
    assert SwarmSpec().to_config() == {"managers": 3}
    assert SwarmSpec.from_config(None) is None
