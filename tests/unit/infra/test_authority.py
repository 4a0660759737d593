"""A roll as a chain of states: in each, whoever has what the step before handed out gets in everywhere."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from infra.authority import AFTER_ADOPTION, AuthoritySpec
from infra.errors import UsageError


def states(start: AuthoritySpec) -> Iterator[AuthoritySpec]:
    step: AuthoritySpec | None = start
    while step:
        yield step
        step = step.step()


@pytest.mark.parametrize("start", [AuthoritySpec().rolled(), AFTER_ADOPTION], ids=["roll", "adoption"])
def test_in_every_state_of_a_roll_old_and_new_reach_each_other(start: AuthoritySpec) -> None:
    chain = list(states(start))
    for before, after in itertools.pairwise(chain):
        for client in (before, after):  # a client's files are of one state, whole
            for host in (before, after):  # and a host's of either
                assert host.signs in client.trusts, (client, host)
                assert client.client in host.admits, (client, host)


def test_hosts_are_touched_by_two_steps_of_a_roll_and_no_more() -> None:
    chain = [AuthoritySpec(), *states(AuthoritySpec().rolled())]
    touched = [(a.signs, a.admits) != (b.signs, b.admits) for a, b in itertools.pairwise(chain)]
    assert touched == [False, True, False, True]


def test_a_roll_ends_with_the_next_generation_alone() -> None:
    assert list(states(AuthoritySpec().rolled()))[-1] == AuthoritySpec(signs=2, client=2, trusts=(2,), admits=(2,))
    assert list(states(AFTER_ADOPTION))[-1] == AuthoritySpec()


@pytest.mark.parametrize("spec", [AuthoritySpec(), *states(AuthoritySpec().rolled()), *states(AFTER_ADOPTION)])
def test_a_declared_state_reads_as_it_was_written(spec: AuthoritySpec) -> None:
    assert AuthoritySpec.from_config(spec.to_config() or None) == spec


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ([1], "mctl:authority is not a mapping of signs, client, trusts and admits"),
        ({"signd": 1}, "mctl:authority is not a mapping of signs, client, trusts and admits"),
        ({"trusts": []}, "mctl:authority: generations are whole numbers from 0, and `trusts` and `admits` lists"),
        ({"trusts": 1}, "mctl:authority: generations are whole numbers from 0, and `trusts` and `admits` lists"),
        ({"client": "1"}, "mctl:authority: generations are whole numbers from 0, and `trusts` and `admits` lists"),
        ({"signs": 0}, "mctl:authority: generation 0 was adopted without its key, so it can't sign"),
    ],
)
def test_what_can_not_mean_anything_is_refused(declared: Any, said: str) -> None:
    with pytest.raises(UsageError) as refused:
        AuthoritySpec.from_config(declared)
    assert refused.value.message == said
