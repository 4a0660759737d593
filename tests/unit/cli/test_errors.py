"""What mctl says, whole, where docker-machine has an error of its own: one table, and what stands in no record."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest

from infra.machine import MachineSpec
from infra.stacks import machines, project, records
from tests.cli_runner import PROGRAM, Ran, Run, in_process
from tests.stack_outputs import outputs

ON_MACHINES = ("kill", "restart", "start", "stop")
READS = ("config", "env", "inspect", "ip", "ssh", "status", "url")
ON_STACKS = ("preview", "refresh", "up")
NO_DEFAULT = (
    'Error: No machine name(s) specified and no "default" machine exists\n  hint: mctl ls, or mctl create default\n'
)
PROMPT = (
    "About to remove web-1, off\n"
    "WARNING: This action will delete both local reference and remote instance.\n"
    "Are you sure? (y/n): "
)


@pytest.fixture
def mctl() -> Run:
    """Run it in this process: where errors end is the same."""
    return in_process


@pytest.fixture(autouse=True)
def known(mctl_home: Path) -> None:
    """Have a machine that is declared and runs, one that is off, and one whose record is damaged."""
    folder = project.find_project()
    for name in ("web-1", "off", "broken"):
        records.save(
            outputs(name, docker_url="tcp://127.0.0.1:1", address="127.0.0.1", ssh_port=1, running=name != "off"),
            stack="prod",
            project=str(folder),
        )
    project.declare(folder, "prod", MachineSpec(name="web-1", provider="generic"))
    (mctl_home / "machines" / "broken" / "machine.json").write_text("{")


@pytest.mark.parametrize(
    ("arguments", "code", "message", "mend"),
    [
        (("ls", "--nope"), 2, "no such option: --nope", "mctl ls --help"),
        (("ls", "--quite"), 2, "no such option: --quite; did you mean --quiet?", "mctl ls --help"),
        (("ls", "web-1"), 2, "got unexpected extra argument(s) (web-1)", "mctl ls --help"),
        (("url", "web-1", "off"), 2, "got unexpected extra argument(s) (off)", "mctl url --help"),
        (("status", "web-1", "off"), 2, "got unexpected extra argument(s) (off)", "mctl status --help"),
        (("create",), 2, "missing argument 'name'", "mctl create --help"),
        (("create", "a", "b"), 2, "got unexpected extra argument(s) (b)", "mctl create --help"),
        (("rm",), 2, "missing argument 'NAME'", "mctl rm --help"),
        (("env", "-u", "web-1"), 2, "Expected no machine name when the -u flag is present", "mctl env -u"),
        (
            ("env", "web-1", "--shell", "fsh"),
            2,
            "unknown shell 'fsh'; did you mean 'fish'?",
            "--shell takes: bash, cmd, csh, dash, emacs, fish, ksh, powershell, pwsh, sh, tcsh, zsh",
        ),
        (("env", "--shell"), 2, "option '--shell' requires an argument", "mctl env --help"),
        (("ls", "-t", "soon"), 2, "invalid value for '--timeout' / '-t': it must be a number", "mctl ls --help"),
        (("ls", "-t", "0"), 2, "invalid value for '--timeout' / '-t': it must be at least 0.1", "mctl ls --help"),
        (("status", "-t", "-1"), 2, "invalid value for '--timeout' / '-t': it must be at least 0.1", None),
        (("url", "off"), 1, 'machine "off" is not running', "mctl start off"),
        (("config", "off"), 1, 'machine "off" is not running', "mctl start off"),
        (("env", "off"), 1, 'machine "off" is not running', "mctl start off"),
        (("ssh", "off", "true"), 1, 'machine "off" is not running', "mctl start off"),
        (("start", "web-1"), 1, "generic driver does not support start", None),
        (("stop", "web-1"), 1, "generic driver does not support stop", None),
        (("kill", "web-1"), 1, "generic driver does not support kill", None),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_an_error_is_told_whole(
    arguments: tuple[str, ...], code: int, message: str, mend: str | None, mctl: Run
) -> None:
    mend = mend or (f"mctl {arguments[0]} --help" if "invalid value" in message else None)
    hint = f"  hint: {mend}\n" if mend else ""
    assert mctl(*arguments) == Ran(code, "", f"Error: {message}\n{hint}")


@pytest.mark.parametrize("verb", [*ON_MACHINES, *READS, *ON_STACKS, "regenerate-certs"])
def test_without_a_name_and_a_default_machine_that_is_said(verb: str, mctl: Run) -> None:
    assert mctl(verb) == Ran(4, "", NO_DEFAULT)


@pytest.mark.parametrize("verb", [*ON_MACHINES, *READS, *ON_STACKS, "rm", "version"])
def test_an_unknown_machine_is_named(verb: str, mctl: Run) -> None:
    for name in ("nope", "../web-1"):
        assert mctl(verb, name) == Ran(
            4, "", f'Error: machine "{name}" does not exist\n  hint: mctl ls, or mctl create {name}\n'
        )


@pytest.mark.parametrize("verb", [*ON_MACHINES, *READS, *ON_STACKS, "version"])
def test_a_damaged_record_is_named(verb: str, mctl: Run) -> None:
    mend = "mctl refresh broken"
    if verb in (*ON_MACHINES, *ON_STACKS):
        mend += " in the folder of its project; mctl rm broken forgets it here"
    assert mctl(verb, "broken") == Ran(
        1,
        "",
        'Error: the record of machine "broken" can\'t be read: Expecting property name enclosed in double quotes: '
        f"line 1 column 2 (char 1)\n  hint: {mend}\n",
    )


def test_a_record_of_a_later_mctl_is_named(mctl: Run, mctl_home: Path) -> None:
    (mctl_home / "machines" / "broken" / "machine.json").write_text('{"version": 99}')
    assert mctl("url", "broken") == Ran(
        1,
        "",
        'Error: the record of machine "broken" can\'t be read: it is of version 99, and this mctl reads version 1\n'
        "  hint: mctl refresh broken\n",
    )


def test_a_damaged_record_that_nobody_declares_can_be_removed(mctl: Run) -> None:
    assert mctl("rm", "-y", "broken") == Ran(0, "Successfully removed broken\n", "")
    assert "broken" not in records.names()


def answered(answer: str, *arguments: str) -> Ran:
    done = subprocess.run([PROGRAM, *arguments], input=answer, capture_output=True, text=True, check=False)
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("answer", ["n\n", "no\n", "\n", "x\n"])
def test_rm_asks_and_removes_nothing_without_a_yes(answer: str) -> None:
    assert answered(answer, "rm", "web-1", "off") == Ran(0, "", PROMPT)
    assert records.exists("web-1")


@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_rm_takes_a_yes_from_standard_input(answer: str) -> None:
    assert answered(answer, "rm", "off", "broken").out == "Successfully removed off\nSuccessfully removed broken\n"
    assert records.names() == ["web-1"]


def test_rm_with_nobody_to_ask_is_a_usage_error() -> None:
    hint = "  hint: mctl rm -y web-1 off\n"
    assert answered("", "rm", "web-1", "off") == Ran(
        2, "", f"{PROMPT}\nError: nobody answers, so nothing was done\n{hint}"
    )


def test_rm_without_an_answer_at_the_terminal_is_a_no() -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen([PROGRAM, "rm", "web-1", "off"], stdin=theirs, stderr=subprocess.PIPE, text=True)
    os.close(theirs)
    os.write(ours, b"\x04")  # Ctrl-D
    assert (running.communicate(timeout=20)[1], running.returncode) == (PROMPT + "\n", 0)
    os.close(ours)
    assert records.exists("off")


@pytest.mark.parametrize("flag", ["-f", "--force"])
def test_rm_by_force_passes_over_unknown_names(flag: str, mctl: Run) -> None:
    assert mctl("rm", flag, "nope") == Ran(0, "", 'Notice: machine "nope" does not exist\n')
    assert mctl("rm", "nope", "off", flag) == Ran(
        0, "Successfully removed off\n", 'Notice: machine "nope" does not exist\n'
    )


@pytest.mark.parametrize("flag", ["-f", "-y"])
def test_rm_keeps_a_machine_whose_removal_fails(flag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, _report: object, **_how: object) -> None:
        if name == "web-1":
            from infra.errors import StackError

            raise StackError("the cloud says no", machine=name, mend=f"mctl rm {name}")

    monkeypatch.setattr(machines, "remove", fail)
    assert in_process("rm", flag, "web-1", "off") == Ran(
        1, "Successfully removed off\n", 'Error: machine "web-1": the cloud says no\n  hint: mctl rm web-1\n'
    )
    assert records.exists("web-1")
