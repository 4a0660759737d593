"""When switching a machine on or off needs nobody: only where record and machine agree without a doubt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import AlreadyError
from infra.machine import MachineSpec
from infra.stacks import power, project, records
from infra.stacks.progress import Progress
from tests import daemon
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs
from tests.unit.infra.stacks.test_states import CA, CLIENT, NO_ONE, SERVER, closed_port

__all__ = ["mctl_home"]


class EngineAskedError(Exception):
    """The Pulumi engine would have been started."""


@pytest.fixture(autouse=True)
def no_engine(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(*_: object, **__: object) -> None:
        raise EngineAskedError

    monkeypatch.setattr(power, "Stack", ask)
    monkeypatch.setattr(power, "PROBE_SECONDS", 1)


def have(*, running: bool, recorded: bool | None = None, port: int = 0, **facts: object) -> None:
    """Have a machine that is declared, and recorded, to run or not. port: of its daemon."""
    folder = project.find_project()
    project.declare(folder, "prod", MachineSpec(name="vm", provider="qemu", running=running))
    own = {
        "running": running if recorded is None else recorded,
        "address": "127.0.0.1",
        "docker_url": f"tcp://127.0.0.1:{port or closed_port()}",
        "ssh_port": closed_port(),
        "ca_cert": CA.cert,
        "client_cert": CLIENT.cert,
        "client_key": CLIENT.key,
    }
    records.save(outputs("vm", **(own | facts)), stack="prod", project=str(folder))


def switch(*, running: bool, hard: bool = False) -> None:
    said: list[Progress] = []
    power.set_running("vm", running=running, report=said.append, hard=hard)


def test_a_machine_whose_docker_answers_is_already_running(tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        have(running=True, port=port)
        with pytest.raises(AlreadyError) as told:
            switch(running=True)
    assert (told.value.message, told.value.machine) == ('Machine "vm" is already running.', "vm")


@pytest.mark.parametrize("hard", [False, True])
def test_a_machine_whose_ports_are_closed_is_already_stopped(hard: bool) -> None:
    have(running=False)
    with pytest.raises(AlreadyError) as told:
        switch(running=False, hard=hard)
    assert told.value.message == 'Machine "vm" is already stopped.'


@pytest.mark.parametrize(
    ("running", "doubt"),
    [
        (True, lambda: have(running=True)),  # no Docker answers
        (True, lambda: have(running=True, recorded=False)),  # a start that was cut off
        (False, lambda: have(running=False, recorded=True)),
        (False, lambda: have(running=False, address=NO_ONE, docker_url=f"tcp://{NO_ONE}:2376")),  # silence
        (False, lambda: have(running=True)),
        (True, lambda: have(running=False)),
    ],
)
def test_where_there_is_a_doubt_or_something_to_do_the_engine_is_asked(
    running: bool, doubt: Callable[[], None]
) -> None:
    doubt()
    with pytest.raises(EngineAskedError):
        switch(running=running)


def test_an_old_record_proves_nothing(tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        have(running=True, port=port)
        record = records.load("vm")
        assert not record.is_old
        state = tmp_path / "state.json"
        state.touch()
        folder = project.find_project()
        facts = {**record.facts(), "ca_cert": CA.cert, "client_cert": CLIENT.cert, "client_key": CLIENT.key}
        records.save(facts, stack="prod", project=str(folder), state=(str(state), 1))
        with pytest.raises(EngineAskedError):
            switch(running=True)
