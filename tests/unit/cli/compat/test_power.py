"""start, stop, kill and restart in docker-machine's words, with the Pulumi engine left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import output
from cli.compat import entry
from infra.errors import AlreadyError, MctlError, StackError
from infra.stacks import home, power, records
from tests.cli_runner import Ran
from tests.stack_outputs import outputs

NOTE = "{} machines may have new IP addresses. You may need to re-run the `docker-machine env` command.\n".format
Acts = list[tuple[object, ...]]


@pytest.fixture
def acts(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Acts:
    """The machines `default` and `web-1`; and what would have been done to them."""
    done: Acts = []

    def set_running(name: str, *, running: bool, report: object, hard: bool = False) -> None:
        done.append((name, running, hard))

    monkeypatch.setattr(output, "program", output.program)
    monkeypatch.setattr(home, "looks_around", home.looks_around)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(mctl_home))
    monkeypatch.setattr(power, "set_running", set_running)
    monkeypatch.setattr(power, "restart", lambda name, report: done.append((name, "restart")))
    for name in ("default", "web-1"):
        records.save(outputs(name), stack=name, project="/project")
    return done


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = entry.run(arguments)
    return Ran(code, *capsys.readouterr())


def fail_with(monkeypatch: pytest.MonkeyPatch, error: MctlError) -> None:
    def fail(name: str, **_: object) -> None:
        if name == "default":
            raise error

    monkeypatch.setattr(power, "set_running", fail)


@pytest.mark.parametrize(
    ("verb", "act", "out"),
    [
        ("start", (True, False), 'Starting "default"...\nMachine "default" was started.\n' + NOTE("Started")),
        ("stop", (False, False), 'Stopping "default"...\nMachine "default" was stopped.\n'),
        ("kill", (False, True), 'Killing "default"...\nMachine "default" was killed.\n'),
        ("restart", ("restart",), 'Restarting "default"...\n' + NOTE("Restarted")),
    ],
)
def test_each_says_what_it_does_and_did(
    verb: str, act: tuple[object, ...], out: str, acts: Acts, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, verb) == Ran(0, out, "")
    assert acts == [("default", *act)]


@pytest.mark.parametrize(("verb", "doing", "word"), [("start", "Starting", "running"), ("stop", "Stopping", "stopped")])
def test_a_machine_in_the_state_asked_for_is_an_error(
    verb: str, doing: str, word: str, acts: Acts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, AlreadyError(f'Machine "default" is already {word}.', machine="default"))
    assert run(capsys, verb, "default") == Ran(1, f'{doing} "default"...\n', f'Machine "default" is already {word}.\n')


def test_one_that_fails_does_not_keep_the_others_from_going_on(
    acts: Acts, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fail_with(monkeypatch, StackError("generic driver does not support start", machine="default"))
    assert run(capsys, "start", "default", "web-1", "default") == Ran(
        1,
        'Starting "default"...\nStarting "web-1"...\nMachine "web-1" was started.\n',
        "generic driver does not support start\n",
    )


def test_where_one_is_unknown_nothing_is_done(acts: Acts, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "kill", "web-1", "nope").code == 1
    assert acts == []
