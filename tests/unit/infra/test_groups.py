"""What a group means, machine by machine and part by part, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from infra.errors import UsageError
from infra.groups import Group, expand, leave_out, part_name, part_number, set_count
from infra.machine import MachineSpec

WEB = {"count": 3, "provider": "aws", "options": {"size": "s", "region": "r"}, "tls_sans": ["web.example"]}


def web(**more: Any) -> Group:
    return Group.from_config("web", {**WEB, **more})


def test_a_group_is_machines_that_share_what_it_says() -> None:
    shared = {"provider": "aws", "options": {"size": "s", "region": "r"}, "tls_sans": ["web.example"]}
    assert expand(None, {"web": WEB}, "prod") == {"web-1": shared, "web-2": shared, "web-3": shared}


def test_an_override_says_what_differs_also_within_options_and_null_takes_away() -> None:
    own = {"web-2": {"options": {"size": "l", "region": None}, "tls_sans": None, "running": False}}
    members = web(machines=own).members()
    assert members["web-2"] == {"provider": "aws", "options": {"size": "l"}, "running": False}
    assert members["web-1"] == members["web-3"] == web().members()["web-1"]


def test_what_differs_for_a_machine_is_found_again_from_its_declaration() -> None:
    entry = {"provider": "aws", "options": {"size": "l"}, "running": False, "engine": {"version": "28"}}
    own = web().difference(entry)
    assert own == {
        "tls_sans": None,
        "running": False,
        "engine": {"version": "28"},
        "options": {"size": "l", "region": None},
    }
    assert web(machines={"web-2": own}).members()["web-2"] == entry


def test_every_machine_is_in_one_part_and_stays_there_when_the_count_changes() -> None:
    parts = [list(web(count=7, per_stack=3).members(part)) for part in (1, 2, 3, 4)]
    assert parts == [["web-1", "web-2", "web-3"], ["web-4", "web-5", "web-6"], ["web-7"], []]
    assert [list(web(count=8, per_stack=3).members(part)) for part in (1, 2)] == parts[:2]
    assert list(web(count=7, per_stack=3).all_members()) == [f"web-{n}" for n in range(1, 8)]
    assert [web(count=count, per_stack=3).parts for count in (0, 1, 3, 4, 7)] == [1, 1, 1, 2, 3]
    assert web(count=7).parts == 1


def test_a_part_is_known_by_the_name_of_its_stack() -> None:
    assert [part_name("web", number) for number in (1, 2, 12)] == ["web", "web_2", "web_12"]
    assert [part_number(stack, "web") for stack in ("web", "web_2", "web_12")] == [1, 2, 12]
    assert part_number("web_2") == 1, "no part of anything"
    with pytest.raises(UsageError, match="the stack other_2 is not called web_2, web_3, …"):
        part_number("other_2", "web")


def test_a_machine_that_is_left_out_is_no_machine_and_does_not_count() -> None:
    group = web(machines={"web-2": {"absent": True}})
    assert list(group.members()) == ["web-1", "web-3"]
    assert [group.count_for(present) for present in (0, 1, 2, 3)] == [0, 1, 3, 4]


def test_the_last_machine_that_goes_lowers_the_count_and_another_is_marked() -> None:
    declared: dict[str, Any] = {"web": dict(WEB)}
    leave_out(declared, "web", "web-2")
    assert declared["web"]["machines"] == {"web-2": {"absent": True}}
    assert declared["web"]["count"] == 3
    leave_out(declared, "web", "web-3")
    assert declared["web"] == {**WEB, "count": 1}
    leave_out(declared, "web", "web-3")
    assert declared["web"] == {**WEB, "count": 1}, "a run that was stopped has done it"
    leave_out(declared, "web", "web-1")
    assert declared == {}
    leave_out(declared, "web", "web-1")
    assert declared == {}


def test_settings_of_machines_beyond_the_count_stay_for_when_they_come_back() -> None:
    entry: dict[str, Any] = {**WEB, "machines": {"web-3": {"options": {"size": "l"}}, "web-2": {"absent": True}}}
    set_count(entry, Group.from_config("web", entry), 1)
    assert entry == {**WEB, "count": 1, "machines": {"web-3": {"options": {"size": "l"}}}}


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["web"], "mctl:groups is not a mapping of names to groups"),
        ({"web": 3}, "mctl:groups: web is not a mapping"),
        ({"web": {"provider": "aws"}}, "mctl:groups: web has no `count`"),
        ({"web": {**WEB, "count": -1}}, "mctl:groups: web.count is -1 and must be a whole number from 0"),
        ({"web": {**WEB, "count": True}}, "mctl:groups: web.count is True and must be a whole number from 0"),
        ({"web": {**WEB, "zone": []}}, "mctl:groups: web has no setting 'zone'; did you mean 'zones'?"),
        ({"web": {**WEB, "machines": [1]}}, "mctl:groups: web.machines is not a mapping of machine names to settings"),
        ({"web": {**WEB, "machines": {"web-2": {"absnt": True}}}}, "'absnt'; did you mean 'absent'?"),
        ({"web": {**WEB, "machines": {"web-x": {}}}}, "web.machines has 'web-x': they are web-1, web-2, …"),
        ({"web": {**WEB, "machines": {"web-02": {}}}}, "web.machines has 'web-02': they are web-1, web-2, …"),
        ({"w_b": WEB}, "invalid machine name 'w_b'"),
    ],
)
def test_a_group_that_can_t_mean_anything_is_refused(groups: Any, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        expand(None, groups, "prod")
    assert message in refused.value.message


def test_a_machine_that_is_declared_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="machine web-2 is declared twice: it is one of the group web too"):
        expand({"web-2": {"provider": "aws"}}, {"web": WEB}, "prod")


def test_each_setting_of_a_machine_can_be_one_of_a_group() -> None:
    spec = MachineSpec(name="web-1", provider="aws", zones=("a",), running=False)
    assert expand(None, {"web": {"count": 1, **spec.to_config()}}, "prod") == {"web-1": spec.to_config()}
