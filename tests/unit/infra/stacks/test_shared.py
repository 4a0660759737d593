"""Declarations that the backend's history carries from one computer's home to another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infra.errors import StackError
from infra.stacks import project, shared

ONE, TWO, THREE = ({"provider": "none", "options": {"url": f"tcp://127.0.0.1:{port}"}} for port in (1, 2, 3))


def text(machines: dict[str, Any], **more: Any) -> str:
    return json.dumps({"encryptionsalt": "v1:x", "config": {"mctl:machines": machines, **more}})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose stacks are at a shared place; both computers agreed on the machine `one`."""
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    folder = project.find_project()
    project.set_backend(folder, "s3://team")
    shared.catch_up(folder, "prod", lambda: text({"one": ONE}))
    return folder


def test_a_stack_without_a_file_here_gets_theirs(home: Path) -> None:
    assert project.settings(home, "prod") == {"mctl:machines": {"one": ONE}}
    assert project.read_text(home, "prod") == text({"one": ONE})


def test_what_they_added_removed_and_changed_comes_over(home: Path) -> None:
    shared.catch_up(home, "prod", lambda: text({"two": TWO}, **{"mctl:owner": "us"}))
    assert project.settings(home, "prod") == {"mctl:machines": {"two": TWO}, "mctl:owner": "us"}
    assert "encryptionsalt: v1:x" in project.read_text(home, "prod")


def test_what_was_changed_here_stays_beside_what_they_changed(home: Path) -> None:
    project.declare_settings(home, "prod", {"mctl:machines": {"three": THREE}, "mctl:owner": "us"})
    shared.catch_up(home, "prod", lambda: text({"one": ONE, "two": TWO}))
    assert project.settings(home, "prod") == {"mctl:machines": {"two": TWO, "three": THREE}, "mctl:owner": "us"}
    shared.catch_up(home, "prod", lambda: text({"one": ONE, "two": TWO}))
    assert project.settings(home, "prod") == {"mctl:machines": {"two": TWO, "three": THREE}, "mctl:owner": "us"}


def test_one_machine_changed_on_both_is_told_and_neither_is_lost(home: Path) -> None:
    project.declare_settings(home, "prod", {"mctl:machines": {"one": TWO}})
    for _ in range(2):
        with pytest.raises(StackError) as told:
            shared.catch_up(home, "prod", lambda: text({"one": THREE}))
        assert told.value.message == "one of stack prod was changed on another computer, and here too"
        assert project.settings(home, "prod") == {"mctl:machines": {"one": TWO}}
    project.discard(home, "prod")  # as the error says
    shared.catch_up(home, "prod", lambda: text({"one": THREE}))
    assert project.settings(home, "prod") == {"mctl:machines": {"one": THREE}}


def test_an_update_of_another_computer_since_is_not_undone(home: Path) -> None:
    shared.require_current(home, "prod", lambda: text({"one": ONE}))
    shared.require_current(home, "prod", lambda: "")
    with pytest.raises(StackError) as told:
        shared.require_current(home, "prod", lambda: text({"one": ONE, "two": TWO}))
    assert told.value.message == "stack prod was changed on another computer just now"


def test_a_stack_that_they_removed_is_dropped_unless_it_was_changed_here(home: Path) -> None:
    project.declare_settings(home, "prod", {"mctl:machines": {"one": TWO}})
    shared.forget(home, "prod")
    assert project.stacks(home) == ["prod"]
    shared.note(home, "prod")
    shared.forget(home, "prod")
    assert project.stacks(home) == []


def test_a_project_that_git_carries_is_left_alone(tmp_path: Path, home: Path) -> None:
    clone = tmp_path / "clone"
    clone.mkdir()
    (clone / "Pulumi.yaml").write_text("name: mctl\nruntime: python\nbackend:\n  url: s3://team\n")

    def fetch() -> str:
        raise AssertionError("it was asked")

    shared.catch_up(clone, "prod", fetch)
    shared.require_current(clone, "prod", fetch)
    assert project.stacks(clone) == []


def test_a_home_at_its_own_disk_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "another"))
    monkeypatch.chdir(tmp_path)
    assert not shared.is_shared(project.find_project())
