"""What counts as left behind at a provider: what no stack of this state knows of, declared here or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from infra.components import drivers
from infra.components.drivers import Driver, Orphan
from infra.components.drivers.digitalocean import DigitalOceanArgs
from infra.components.ownership import OWNER
from infra.errors import NotFoundError
from infra.machine import MachineSpec
from infra.stacks import orphans, project
from infra.stacks.owner import owner
from tests.cli_runner import mctl_home

__all__ = ["mctl_home"]
STATES = {"prod": {"i-1", "k-1"}, "of-a-teammate": {"I-2"}}


class Opened:
    """A stack of the state, or none."""

    def __init__(self, _folder: Path, name: str, _report: object, *, read: bool) -> None:
        assert read
        if name not in STATES:
            raise NotFoundError(f"stack {name} does not exist")
        self._ids = STATES[name]

    def ids(self) -> set[str]:
        return self._ids


def orphan(id: str, stack: str) -> Orphan:  # noqa: A002 - the field's word
    return Orphan(kind="instance", id=id, name="web", stack=stack, machine="web", delete=lambda: None)


@pytest.fixture
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(orphans, "Stack", Opened)
    folder = project.find_project()
    for stack in ("prod", "never-made"):
        project.declare(folder, stack, MachineSpec(name=f"{stack}-1", provider="generic"))
    return folder


def test_only_what_no_stack_of_the_state_knows_of_was_left_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [orphan("i-1", "prod"), orphan("i-2", "of-a-teammate"), orphan("i-3", "prod"), orphan("i-4", "gone")]

    def listed(_args: Any, tags: Mapping[str, str]) -> Iterator[Orphan]:
        assert tags == {OWNER: owner(folder)}
        yield from there

    driver = Driver(name="cloud", args=DigitalOceanArgs, vm=lambda *_: pytest.fail("made"), orphans=listed)
    monkeypatch.setattr(drivers, "load", lambda _provider: driver)
    found = orphans.find("cloud", {}, lambda _progress: None)
    assert [each.id for each in found] == ["i-3", "i-4"]
