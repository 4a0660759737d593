"""The workflow files are what GitHub and GitLab read, and hand nothing on that someone else wrote."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
OURS = ROOT / ".github/workflows/ci.yml"
TEMPLATE = ROOT / "cli/templates/github-workflow.yml"
ACTION = ROOT / "action.yml"
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40}")


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.github-workflows", OURS),
        ("vendor.github-workflows", TEMPLATE),
        ("vendor.github-actions", ACTION),
        ("vendor.gitlab-ci", ROOT / "templates/gitlab-ci.yml"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_workflow_file_is_what_its_forge_reads(schema: str, file: Path) -> None:
    line = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(file)]
    checked = subprocess.run(line, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Give each step of a workflow or an action."""
    for key, value in node.items():
        if key == "steps":
            yield from value
        elif isinstance(value, dict):
            yield from steps(value)


@pytest.mark.parametrize("file", [OURS, TEMPLATE, ACTION], ids=lambda file: file.name)
def test_others_actions_are_pinned_and_no_expression_becomes_shell_text(file: Path) -> None:
    found = list(steps(YAML(typ="safe").load(file)))
    assert found
    for step in found:
        assert "${{" not in step.get("run", ""), step
        assert "uses" not in step or PINNED.fullmatch(step["uses"]) or step["uses"].startswith("OWNER/mctl@"), step
