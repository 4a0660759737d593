"""What becomes of the declaration where another run is at work on the same machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from infra.errors import AlreadyError, StackError, StackLockedError
from infra.machine import MachineSpec, SwarmSpec
from infra.stacks import changes, host_scripts, project, records, swarm_nodes
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
BOX = MachineSpec(name="box", provider="generic", options={"ip_address": "192.0.2.7"})


def set_sans(folder: Path) -> None:
    changed = replace(BOX, tls_sans=("box.example",))
    changes.apply(changes.Plan(folder, "prod", BOX, changed, {}), lambda _step: None)


def rename(_folder: Path) -> None:
    changes.rename("box", "crate", lambda _step: None)


def upgrade(folder: Path) -> None:
    records.save(outputs("box"), stack="prod", project=str(folder))
    changes.upgrade("box", "28", lambda _step: None)


class Opened:
    """A stack that another run changed while this one waited for it."""

    meanwhile = BOX

    def __init__(self, folder: Path, stack: str, _report: object) -> None:
        project.declare(folder, stack, self.meanwhile)

    def up(self, **_: object) -> None:
        raise StackError("this is as far as the test goes")


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a host that has a newer engine now."""
    monkeypatch.setattr(host_scripts, "run", lambda *_, **__: "engine-version: 28.0.1")


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("change", [set_sans, rename, upgrade])
def test_a_change_that_is_refused_leaves_the_declaration_as_it_is(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    def refuse(*_: object) -> None:
        raise StackLockedError("stack prod is locked by another mctl (pid 7)")

    folder = project.find_project()
    project.declare(folder, "prod", BOX)
    before = (folder / "Pulumi.prod.yaml").read_bytes()
    monkeypatch.setattr(changes, "Stack", refuse)
    with pytest.raises(StackLockedError):
        change(folder)
    assert (folder / "Pulumi.prod.yaml").read_bytes() == before


def test_set_refuses_a_machine_that_another_run_changed_while_it_asked(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.find_project()
    monkeypatch.setattr(Opened, "meanwhile", replace(BOX, tls_sans=("other.example",)))
    monkeypatch.setattr(changes, "Stack", Opened)
    with pytest.raises(StackError) as refused:
        set_sans(folder)
    assert (refused.value.message, refused.value.machine, refused.value.mend) == (
        "another run has changed its declaration since this one asked",
        "box",
        "run the same command again",
    )
    assert project.machines(folder, "prod")["box"]["tls_sans"] == ["other.example"]


@pytest.mark.usefixtures("host")
def test_upgrade_pins_the_version_in_what_another_run_declared_meanwhile(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = project.find_project()
    project.declare(folder, "prod", BOX)
    monkeypatch.setattr(Opened, "meanwhile", replace(BOX, tls_sans=("other.example",)))
    monkeypatch.setattr(changes, "Stack", Opened)
    with pytest.raises(StackError, match="as far as the test goes"):
        upgrade(folder)
    entry = project.machines(folder, "prod")["box"]
    assert (entry["tls_sans"], entry["engine"]) == (["other.example"], {"version": "28"})


@pytest.mark.parametrize(("looked", "drains"), [("newer: no\n", []), ("newer: perhaps\n", ["box"])])
def test_what_runs_on_a_node_is_moved_only_where_something_newer_may_be_there(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch, looked: str, drains: list[str]
) -> None:
    drained: list[str] = []

    def run(_record: object, script: str, *_: object, **__: object) -> str:
        return looked if "looking=yes" in script else "engine-version: 27.3.1\n"

    @contextmanager
    def drain(_folder: Path, _stack: str, name: str, _report: object) -> Iterator[None]:
        drained.append(name)
        yield

    folder = project.find_project()
    project.declare(folder, "prod", BOX)
    project.declare_swarm(folder, "prod", SwarmSpec())
    records.save(outputs("box"), stack="prod", project=str(folder))
    monkeypatch.setattr(host_scripts, "run", run)
    monkeypatch.setattr(swarm_nodes, "drained", drain)
    with pytest.raises(AlreadyError):
        changes.upgrade("box", "", lambda _step: None)
    assert drained == drains
