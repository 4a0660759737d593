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

    def is_making(self) -> bool:
        return "i-1" in self._ids


def orphan(id: str, stack: str) -> Orphan:  # noqa: A002 - the field's word
    return Orphan(kind="instance", id=id, name="web", stack=stack, machine="web", delete=lambda: None)


@pytest.fixture
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(orphans, "Stack", Opened)
    folder = project.find_project()
    for stack in ("prod", "never-made"):
        project.declare(folder, stack, MachineSpec(name=f"{stack}-1", provider="generic"))
    return folder


def find(monkeypatch: pytest.MonkeyPatch, by_owner: Mapping[str, list[Orphan]]) -> list[str]:
    """Ask a provider that has this of each owner."""

    def listed(_args: Any, tags: Mapping[str, str]) -> Iterator[Orphan]:
        assert list(tags) == [OWNER]
        yield from by_owner.get(tags[OWNER], [])

    driver = Driver(name="cloud", args=DigitalOceanArgs, vm=lambda *_: pytest.fail("made"), orphans=listed)
    monkeypatch.setattr(drivers, "load", lambda _provider: driver)
    return [each.id for each in orphans.find("cloud", {}, lambda _progress: None)]


def test_only_what_no_stack_of_the_state_knows_of_was_left_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = [orphan("i-1", "prod"), orphan("i-2", "of-a-teammate"), orphan("i-3", "prod"), orphan("i-4", "gone")]
    assert find(monkeypatch, {owner(folder): there}) == ["i-3", "i-4"]


def test_a_stack_whose_state_was_moved_is_searched_for_by_the_id_that_it_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare_settings(folder, "prod", {project.OWNER: "before"})
    known = {"before": [orphan("i-1", "prod"), orphan("i-5", "prod")], owner(folder): [orphan("i-6", "gone")]}
    assert sorted(find(monkeypatch, known)) == ["i-5", "i-6"]


def test_what_a_run_somewhere_else_is_just_making_is_left_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project.set_backend(folder, "s3://team")  # whose locks are out of sight
    there = [orphan("i-3", "prod"), orphan("i-4", "gone")]
    assert find(monkeypatch, {owner(folder): there}) == ["i-4"]
