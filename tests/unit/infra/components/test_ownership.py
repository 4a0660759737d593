from __future__ import annotations

import pytest

from infra.components import ownership
from infra.components.ownership import MACHINE, OWNER, STACK

OURS = {OWNER: "0123456789abcdef", STACK: "prod", MACHINE: "web-1"}


@pytest.mark.parametrize(
    ("stack", "machine"),
    [("prod", "web-1"), ("prod.eu", "web"), ("prod", "eu.web"), ("my_stack", "web"), ("prod.", "a..2e"), (".a", "b")],
)
@pytest.mark.parametrize("spelling", [{}, {"between": " ", "mark": "_"}])
def test_a_name_says_whose_a_thing_is_to_the_letter(stack: str, machine: str, spelling: dict[str, str]) -> None:
    whose = {**OURS, STACK: stack, MACHINE: machine}
    assert ownership.named(ownership.name(whose, **spelling), **spelling) == whose


def test_a_name_is_one_that_firewalls_and_key_pairs_may_have() -> None:
    whose = {**OURS, STACK: "my_stack.eu"}
    assert ownership.name(whose) == "mctl.0123456789abcdef.my..5fstack..2eeu.web-1"
    assert ownership.name(whose, between=" ", mark="_") == "mctl 0123456789abcdef my_5fstack_2eeu web-1"


@pytest.mark.parametrize("name", ["laptop", "mctl", "mctl.0123.prod", "mctl.0123.prod.web.1", "xmctl.0123.prod.web"])
def test_a_name_that_is_not_ours_says_nothing(name: str) -> None:
    assert ownership.named(name) == {}


def test_without_an_owner_a_thing_is_nobodys() -> None:
    assert ownership.name({STACK: "prod", MACHINE: "web"}) == "mctl.nobody.prod.web"
