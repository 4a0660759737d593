"""When a manager may go."""

from __future__ import annotations

import pytest

from infra.stacks.swarm_nodes import Node, _loses_quorum


def nodes(*reachable: bool | None) -> list[Node]:
    """Give so many managers, in reach or not, or none of the managers any more, and a worker."""
    managers = [
        Node(
            f"id-{n}",
            f"web-{n}",
            "host",
            "manager",
            "ready",
            "active",
            {True: "reachable", False: "unreachable", None: ""}[up],
            n == 1,
            "1",
        )
        for n, up in enumerate(reachable, start=1)
    ]
    return [*managers, Node("id-w", "web-9", "host", "worker", "ready", "active", "", leader=False, engine="1")]


@pytest.mark.parametrize(
    ("reachable", "going", "loses"),
    [
        ((True, True, True), "web-1", False),  # two of two
        ((True, True, True), "web-9", False),
        ((True, True, False), "web-3", False),  # the dead one
        ((True, True, False), "web-1", True),  # one of two
        ((True, True, False), "web-9", False),
        ((True,), "web-1", True),
        ((True, None, None), "web-3", False),  # one went on alone
        ((True, None, None), "web-1", True),
        ((True, True, True, True, False), "web-1", False),  # three of four
        ((True, True, True, False, False), "web-1", True),  # two of four
    ],
)
def test_more_than_half_of_the_managers_that_are_left_must_be_in_reach(
    reachable: tuple[bool | None, ...], going: str, loses: bool
) -> None:
    assert _loses_quorum(nodes(*reachable), [going]) is loses
