"""Stack state made with the official plugins, previewed by the real engine with ours."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pulumi import automation as auto

from tests.engine.conftest import NewStack
from tests.engine.recorded_program import RecordedProgram

RECORDINGS = Path(__file__).parents[1] / "recordings"
PREVIEWS: dict[str, dict[str, Any]] = json.loads((RECORDINGS / "preview-by-change.json").read_text())


def inputs_of(state: dict[str, Any], name: str) -> dict[str, Any]:
    resources = state["deployment"]["resources"]
    return next(resource["inputs"] for resource in resources if resource["urn"].endswith(f"::{name}"))


def connection_of(state: dict[str, Any], name: str) -> dict[str, Any]:
    connection: dict[str, Any] = json.loads(inputs_of(state, name)["connection"]["plaintext"])
    return connection


def recorded_state() -> dict[str, Any]:
    """The recorded state; its certificate that lives one hour is moved to the present, else it would be renewed."""
    state: dict[str, Any] = json.loads((RECORDINGS / "stack-state.json").read_text())
    now = datetime.now(UTC)
    for resource in state["deployment"]["resources"]:
        if resource["urn"].endswith("::due-for-renewal"):
            resource["outputs"]["validityStartTime"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            resource["outputs"]["validityEndTime"] = (now + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return state


@pytest.fixture(scope="module")
def program() -> RecordedProgram:
    state = recorded_state()
    key = json.loads(connection_of(state, "minimal")["privateKey"]["plaintext"])
    return RecordedProgram(key, connection_of(state, "full")["hostKey"])


@pytest.fixture(scope="module")
def stack(new_stack: NewStack, program: RecordedProgram) -> auto.Stack:
    made = new_stack("dev", program, project="recordings")
    state = recorded_state()
    salt = made.workspace.stack_settings("dev").encryption_salt
    state["deployment"]["secrets_providers"] = {"type": "passphrase", "state": {"salt": salt}}
    made.import_stack(auto.Deployment(version=state["version"], deployment=state["deployment"]))
    return made


def preview(stack: auto.Stack) -> dict[str, Any]:
    """Preview in the shape of the recorded previews."""
    steps = []

    def on_event(event: auto.EngineEvent) -> None:
        found = event.resource_pre_event
        if found and found.metadata.op in (
            auto.OpType.UPDATE,
            auto.OpType.REPLACE,
            auto.OpType.CREATE,
            auto.OpType.DELETE,
        ):
            step = found.metadata
            detailed = {
                path: {"kind": diff.diff_kind, "inputDiff": diff.input_diff}
                for path, diff in (step.detailed_diff or {}).items()
            }
            steps.append(
                {
                    "op": step.op,
                    "resource": step.urn.split("::", 2)[2],
                    "diffReasons": step.diffs,
                    "replaceReasons": step.keys,
                    "detailedDiff": detailed or None,
                }
            )

    summary = stack.preview(on_event=on_event).change_summary
    return {"changeSummary": {str(op): count for op, count in summary.items()}, "steps": steps}


def in_order(found: dict[str, Any]) -> dict[str, Any]:
    """Sort what comes in no order: steps side by side, and the reasons of one."""
    reasons = ("diffReasons", "replaceReasons")
    steps = [{**step, **{key: step[key] and sorted(step[key]) for key in reasons}} for step in found["steps"]]
    return {**found, "steps": sorted(steps, key=lambda step: str(step["resource"]))}


@pytest.mark.parametrize("variant", PREVIEWS)
def test_a_preview_says_what_it_said_with_the_official_plugins(
    stack: auto.Stack, program: RecordedProgram, variant: str
) -> None:
    program.variant = variant
    assert in_order(preview(stack)) == in_order(PREVIEWS[variant])
