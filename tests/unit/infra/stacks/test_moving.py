"""What of a stack's declaration goes into a package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.stacks import moving, project
from tests.cli_runner import mctl_home

__all__ = ["mctl_home"]


class Stack:
    """A stack in which nothing was made yet."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def secrets(self) -> dict[str, str]:
        return {}

    def machines(self) -> list[dict[str, Any]]:
        return []

    def deployment(self) -> dict[str, Any]:
        return {}


def test_machines_of_a_group_go_each_by_itself(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moving, "Stack", Stack)
    folder = project.find_project()
    group = "{count: 2, provider: digitalocean, machines: {web-2: {running: false}}}"
    (folder / "Pulumi.prod.yaml").write_text(f"config:\n  aws:region: eu-1\n  mctl:groups:\n    web: {group}\n")
    assert moving.pack(folder, "prod", lambda _step: None)["config"] == {
        "aws:region": "eu-1",
        "mctl:machines": {
            "web-1": {"provider": "digitalocean"},
            "web-2": {"provider": "digitalocean", "running": False},
        },
    }
