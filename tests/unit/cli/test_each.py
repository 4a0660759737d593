"""Several names at once: who is worked on when, what is told in which order, and that nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.errors import AlreadyError, HostError, Interrupted
from infra.machine import MachineSpec
from infra.stacks import machines, power, project, records
from infra.stacks.progress import Progress, Report
from tests.cli_runner import Ran, in_process
from tests.stack_outputs import outputs

Act = Callable[[str, Report], object]
SECONDS = 20


@pytest.fixture(autouse=True)
def known(mctl_home: Path) -> None:
    """Have `a` in a stack of its own, and `b` and `b2` in one."""
    folder = project.find_project()
    for name, stack in (("a", "a"), ("b", "both"), ("b2", "both")):
        records.save(outputs(name), stack=stack, project=str(folder))
        project.declare(folder, stack, MachineSpec(name=name, provider="generic"))


@pytest.fixture
def acting(monkeypatch: pytest.MonkeyPatch) -> Callable[[Act], None]:
    """Have `restart` do something else."""
    return lambda act: monkeypatch.setattr(power, "restart", act)


def await_file(file: Path) -> None:
    end = time.monotonic() + SECONDS
    while not file.exists():
        assert time.monotonic() < end, f"no {file.name} within {SECONDS} s"
        time.sleep(0.01)


def test_machines_of_two_stacks_are_worked_on_at_once_and_told_in_the_order_asked(
    acting: Callable[[Act], None], tmp_path: Path
) -> None:
    def meet(name: str, report: Report) -> None:
        (tmp_path / f"{name}.begun").touch()
        await_file(tmp_path / ("b.begun" if name == "a" else "a.begun"))
        if name == "a":
            await_file(tmp_path / "b.ended")
        (tmp_path / f"{name}.ended").touch()

    acting(meet)
    assert in_process("restart", "a", "b") == Ran(0, 'Machine "a" was restarted.\nMachine "b" was restarted.\n', "")


def test_machines_of_one_stack_take_turns(acting: Callable[[Act], None], tmp_path: Path) -> None:
    def log(name: str, report: Report) -> None:
        with (tmp_path / "log").open("a") as file:
            file.write(f"{name} begins\n")
        time.sleep(0.05)
        with (tmp_path / "log").open("a") as file:
            file.write(f"{name} ends\n")

    acting(log)
    assert in_process("restart", "b2", "a", "b").code == 0
    of_one_stack = [line for line in (tmp_path / "log").read_text().splitlines() if not line.startswith("a ")]
    assert of_one_stack == ["b2 begins", "b2 ends", "b begins", "b ends"]


def test_a_name_that_is_given_twice_is_acted_on_once(acting: Callable[[Act], None]) -> None:
    acting(lambda name, report: None)
    assert in_process("restart", "a", "b", "a").out == 'Machine "a" was restarted.\nMachine "b" was restarted.\n'


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "kill", "rm"])
def test_where_one_name_is_unknown_nothing_runs(verb: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for module, act in ((power, "set_running"), (power, "restart"), (machines, "remove")):
        monkeypatch.setattr(module, act, lambda *_, **__: (tmp_path / "acted").touch())
    yes = ["-y"] if verb == "rm" else []
    assert in_process(verb, *yes, "a", "nope", "b") == Ran(
        4, "", 'Error: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n'
    )
    assert not (tmp_path / "acted").exists()


def test_one_failure_keeps_no_other_machine_from_going_on(acting: Callable[[Act], None]) -> None:
    def fail(name: str, report: Report) -> None:
        if name == "a":
            raise HostError("the host is on fire", machine=name, mend="call 112")
        if name == "b":
            raise ZeroDivisionError("by nothing")

    acting(fail)
    assert in_process("restart", "a", "b", "b2") == Ran(
        1,
        'Machine "b2" was restarted.\n',
        'Error: machine "a": the host is on fire\n  hint: call 112\n'
        'Error: machine "b": ZeroDivisionError: by nothing\n'
        "  hint: this is a fault in mctl; run the same command with `mctl --debug …` for the traceback\n",
    )


def test_the_exit_code_is_that_of_the_first_failure(acting: Callable[[Act], None]) -> None:
    def fail(name: str, report: Report) -> None:
        error = HostError("no", machine=name)
        error.exit_code = {"a": 3, "b": 4}[name]
        raise error

    acting(fail)
    assert in_process("restart", "a", "b").code == 3
    assert in_process("restart", "b", "a").code == 4


def test_a_run_that_is_killed_is_told(acting: Callable[[Act], None]) -> None:
    def die(name: str, report: Report) -> None:
        if name == "a":
            os.kill(os.getpid(), signal.SIGKILL)

    acting(die)
    assert in_process("restart", "a", "b") == Ran(
        1,
        'Machine "b" was restarted.\n',
        'Error: machine "a": its run ended without a word\n  hint: run the same command again\n',
    )


def test_what_is_stopped_begins_no_more_machine_of_its_stack(acting: Callable[[Act], None]) -> None:
    def stop(name: str, report: Report) -> None:
        raise Interrupted("stopped; what was made so far is kept", machine=name, mend=f"mctl restart {name}")

    acting(stop)
    assert in_process("restart", "b", "b2") == Ran(
        130,
        "",
        'Error: machine "b": stopped; what was made so far is kept\n  hint: mctl restart b\n'
        'Error: machine "b2": stopped before it was begun\n',
    )


def test_progress_says_which_machine(acting: Callable[[Act], None], capfd: pytest.CaptureFixture[str]) -> None:
    def say(name: str, report: Report) -> None:
        report(Progress("", "Clearing a lock"))
        report(Progress(name, "Rebooting"))

    acting(say)
    from cli import main

    assert main.run(("restart", "a", "b")) == 0
    assert sorted(capfd.readouterr().err.splitlines()) == [
        *("(a) Clearing a lock", "(a) Rebooting", "(b) Clearing a lock", "(b) Rebooting")
    ]


@pytest.mark.parametrize(("verb", "word"), [("start", "running"), ("stop", "stopped"), ("kill", "stopped")])
@pytest.mark.parametrize("names", [("a",), ("a", "b")])
def test_a_machine_that_is_in_the_state_asked_for_is_no_failure(
    verb: str, word: str, names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, **_: object) -> None:
        raise AlreadyError(f'Machine "{name}" is already {word}.', machine=name)

    monkeypatch.setattr(power, "set_running", refuse)
    assert in_process(verb, *names) == Ran(0, "".join(f'Machine "{name}" is already {word}.\n' for name in names), "")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda how: how.name)
def test_a_signal_to_the_command_ends_every_run_and_begins_no_more(how: signal.Signals, tmp_path: Path) -> None:
    script = (
        "import os, sys, time\n"
        "from cli import main, side_by_side\n"
        "from infra.stacks import power\n"
        "side_by_side._most = lambda: 2\n"
        "def act(name, report):\n"
        "    os.write(1, f'{name} {os.getpid()}\\n'.encode())\n"
        "    time.sleep(60)\n"
        "power.restart = act\n"
        "sys.exit(main.run(('restart', 'a', 'b', 'c', 'b2')))\n"
    )
    folder = project.find_project()
    project.declare(folder, "c", MachineSpec(name="c", provider="generic"))
    running = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert running.stdout is not None
    begun = dict(running.stdout.readline().split() for _ in range(2))
    running.send_signal(how)
    out, err = running.communicate(timeout=SECONDS)
    assert (running.returncode, out) == (130, "")
    assert err.splitlines() == [
        'Error: machine "a": stopped',
        'Error: machine "b": stopped',
        'Error: machine "c": stopped before it was begun',
        'Error: machine "b2": stopped before it was begun',
    ]
    assert sorted(begun) == ["a", "b"]
    for pid in begun.values():
        with pytest.raises(ProcessLookupError):
            os.kill(int(pid), 0)
