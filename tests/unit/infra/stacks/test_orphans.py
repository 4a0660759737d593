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
from infra.stacks import orphans, project, state_files
from infra.stacks.owner import owner
from infra.stacks.progress import Progress
from tests.cli_runner import mctl_home

__all__ = ["mctl_home"]
STATES = {"prod": {"i-1", "k-1"}, "of-a-teammate": {"I-2"}}


class Opened:
    """A stack of the state, or none."""

    def __init__(self, _folder: Path, name: str, _report: object, *, read: bool) -> None:
        assert read
        if name not in STATES:
            raise NotFoundError(f"stack {name} does not exist")
        self._ids, self._has_begun = STATES[name], name == "prod"

    def ids(self) -> tuple[set[str], bool]:
        return self._ids, self._has_begun


def orphan(id: str, stack: str) -> Orphan:  # noqa: A002 - the field's word
    return Orphan(kind="instance", id=id, name="web", stack=stack, machine="web", delete=lambda: None)


@pytest.fixture
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(orphans, "Stack", Opened)
    folder = project.find_project()
    for stack in ("prod", "never-made"):
        project.declare(folder, stack, MachineSpec(name=f"{stack}-1", provider="generic"))
    return folder


@pytest.fixture
def provider(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    there = [orphan("i-1", "prod"), orphan("i-2", "of-a-teammate"), orphan("i-3", "prod"), orphan("i-4", "gone")]

    def listed(_args: Any, tags: Mapping[str, str]) -> Iterator[Orphan]:
        assert tags == {OWNER: owner(folder)}
        yield from there

    driver = Driver(name="cloud", args=DigitalOceanArgs, vm=lambda *_: pytest.fail("made"), orphans=listed)
    monkeypatch.setattr(drivers, "load", lambda _provider: driver)
    return "cloud"


def test_only_what_no_stack_of_the_state_knows_of_was_left_behind(provider: str) -> None:
    """That a run was killed is no matter here: the lock says that nobody is at work."""
    found = orphans.find(provider, {}, lambda _progress: None)
    assert [each.id for each in found] == ["i-3", "i-4"]


def test_what_a_create_on_another_computer_has_begun_is_no_orphan(
    provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state_files, "path", lambda _folder, _stack: "")  # as of a bucket
    told: list[Progress] = []
    found = orphans.find(provider, {}, told.append)
    assert [each.id for each in found] == ["i-4"]
    assert [progress.text for progress in told if progress.notice] == [
        "stack prod is being changed, or its last run was killed: what is its is left out; "
        "mctl refresh prod settles it once no run is at work"
    ]


def test_a_stack_whose_state_was_moved_is_searched_for_by_the_id_that_it_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.declare_settings(folder, "prod", {project.OWNER: "before"})
    there = {"before": [orphan("i-1", "prod"), orphan("i-5", "prod")], owner(folder): [orphan("i-6", "gone")]}

    def listed(_args: Any, tags: Mapping[str, str]) -> Iterator[Orphan]:
        yield from there[tags[OWNER]]

    driver = Driver(name="cloud", args=DigitalOceanArgs, vm=lambda *_: pytest.fail("made"), orphans=listed)
    monkeypatch.setattr(drivers, "load", lambda _provider: driver)
    assert {each.id for each in orphans.find("cloud", {}, lambda _progress: None)} == {"i-5", "i-6"}
