"""What is kept of a machine while it is renamed; the stack itself is a recorder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from infra.machine import MachineSpec
from infra.stacks import changes, docker_context, machines, project, records
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
LONG_AGO = "2020-01-02T03:04:05+00:00"


class KilledError(Exception):
    """The run ended here."""


class Stack:
    """A stack whose `up` makes what is declared; before that it has what was made under the former name."""

    made: tuple[str, ...] = ("box",)

    def __init__(self, folder: Path, name: str, _report: object, **_: object) -> None:
        self.folder, self.name = folder, name

    def up(self, **_: object) -> None:
        Stack.made = tuple(project.machines(self.folder, self.name))

    def refresh(self) -> None:
        pass

    def machines(self) -> list[dict[str, Any]]:
        declared = project.machines(self.folder, self.name)
        return [outputs(name) for name in self.made if name in declared]


@pytest.fixture(autouse=True)
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a project with the machine `box`, which was created long ago."""
    folder = project.find_project()
    project.declare(folder, "prod", MachineSpec(name="box", provider="generic", options={"ip_address": "192.0.2.7"}))
    records.save(outputs("box"), stack="prod", project=str(folder))
    facts = Path(records.folder("box"), records.FACTS)
    facts.write_text(json.dumps({**json.loads(facts.read_text()), "created": LONG_AGO}))
    monkeypatch.setattr(Stack, "made", ("box",))
    for module in (changes, machines):
        monkeypatch.setattr(module, "Stack", Stack)
        monkeypatch.setattr(module, "await_docker", lambda *_: None)
    monkeypatch.setattr(docker_context, "create_or_update", lambda *_, **__: None)
    monkeypatch.setattr(docker_context, "remove", lambda _name: None)
    return folder


def rename() -> None:
    changes.rename("box", "crate", lambda _step: None)


def up() -> None:
    machines.up("crate", lambda _step: None)


def kill(*_: object, **__: object) -> None:
    raise KilledError


def ends(folder: Path) -> None:
    """Look whether a renaming has ended."""
    assert records.names() == ["crate"]
    assert records.load("crate").created == LONG_AGO
    assert project.machines(folder, "prod") == {
        "crate": {"made_as": "box", "provider": "generic", "options": {"ip_address": "192.0.2.7"}}
    }


def test_a_machine_keeps_the_day_that_it_was_created_on(folder: Path) -> None:
    rename()
    ends(folder)


@pytest.mark.parametrize("again", [rename, up])
@pytest.mark.parametrize(
    ("where", "what"),
    [(Stack, "up"), (records, "save"), (machines, "forget"), (project, "forget_former_names")],
)
def test_a_renaming_that_is_killed_anywhere_is_ended_by_the_same_command_or_up(
    folder: Path, again: Callable[[], None], where: Any, what: str
) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(where, what, kill)
        rename()
    again()
    ends(folder)


def test_a_refresh_of_a_renaming_that_was_killed_keeps_the_record_until_there_is_another(folder: Path) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr(Stack, "up", kill)
        rename()
    assert machines.refresh("crate", lambda _step: None) == []
    assert records.names() == ["box"]
    rename()
    ends(folder)
