"""The tls plugin under the real engine, from the first `up` to `destroy`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from infra.plugins.wire import SIGNATURE
from tests.engine.conftest import NewStack
from tests.engine.recorded_program import RecordedProgram

RECORDED = Path(__file__).parents[1] / "recordings" / "stack-state.json"
DUE = "due-for-renewal"


@pytest.fixture(scope="module")
def program() -> RecordedProgram:
    return RecordedProgram(key="", host_key="")


@pytest.fixture(scope="module")
def stack(new_stack: NewStack, program: RecordedProgram) -> Iterator[auto.Stack]:
    made = new_stack("dev", program.tls, project="recordings")
    made.up()
    yield made
    made.destroy()
    assert resources(made) == {}


def shape(value: Any) -> Any:
    """Reduce a state to names, types and secretness."""
    if isinstance(value, dict):
        return "secret" if SIGNATURE in value else {name: shape(item) for name, item in sorted(value.items())}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def resources(stack: auto.Stack) -> dict[str, dict[str, Any]]:
    return by_urn(dict(stack.export_stack().deployment or {}))


def by_urn(deployment: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {found["urn"]: found for found in deployment.get("resources") or [] if "::tls:index" in found["urn"]}


def certificate_id(stack: auto.Stack) -> str:
    return next(str(resource["id"]) for urn, resource in resources(stack).items() if urn.endswith(f"::{DUE}"))


def test_the_state_has_the_shape_of_the_official_one(stack: auto.Stack) -> None:
    ours = resources(stack)
    official = by_urn(json.loads(RECORDED.read_text())["deployment"])
    assert ours.keys() == official.keys()
    for urn, resource in official.items():
        for part in ("inputs", "outputs", "additionalSecretOutputs"):
            assert shape(ours[urn][part]) == shape(resource[part]), f"{part} of {urn}"


def test_nothing_changes_by_itself(stack: auto.Stack) -> None:
    assert stack.preview().change_summary.keys() == {auto.OpType.SAME}
    assert stack.refresh().summary.resource_changes == {"same": 11}


def test_a_certificate_is_replaced_by_every_plain_up_as_long_as_it_is_due(
    stack: auto.Stack, program: RecordedProgram
) -> None:
    first = certificate_id(stack)
    program.variant = "due"  # one hour valid, renewed one hour early
    assert stack.up().summary.resource_changes == {"same": 10, "replace": 1}
    second = certificate_id(stack)
    assert stack.up().summary.resource_changes == {"same": 10, "replace": 1}
    third = certificate_id(stack)
    assert len({first, second, third}) == 3
    program.variant = "base"  # renewed when it ends, so it stays
    assert stack.up().summary.resource_changes == {"same": 10, "update": 1}
    assert certificate_id(stack) == third
