"""What is completed, asked as the shells' scripts ask, and by the shells themselves."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from cli import completion
from cli.app import VERBS, load
from infra.components import drivers
from infra.machine import MachineSpec
from infra.stacks import project, records
from tests.cli_runner import PROGRAM, Ran, Run, as_process
from tests.stack_outputs import outputs

SCRIPTS = Path(completion.__file__).with_name("completions")
SECONDS = 30


@pytest.fixture(autouse=True)
def machines(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(PROGRAM).parent), os.environ["PATH"]]))
    for name in ("web-1", "web-2", "db"):
        records.save(outputs(name), stack="prod", project="/project")
    project.declare(project.find_project(), "prod", MachineSpec(name="web-1", provider="generic"))


def asked(line: str, shell: str = "fish") -> list[str]:
    """Give the values that are offered for the end of a line."""
    ran = as_process(completion.ENTRY, shell, line)
    assert (ran.code, ran.err) == (0, "")
    return [each.partition("\t")[0] for each in ran.out.splitlines()]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("mctl sta", ["start", "status"]),
        ("mctl help sta", ["start", "status"]),
        ("mctl completion ", ["bash", "zsh", "fish", "powershell"]),
        ("mctl ip ", ["db", "web-1", "web-2"]),
        ("mctl ip web-1 ", ["db", "web-2"]),
        ("mctl ip 'we", ["web-1", "web-2"]),
        ("mctl --debug ip d", ["db"]),
        ("mctl ssh d", ["db"]),
        ("mctl ssh db ", []),
        ("mctl rm -y d", ["db"]),
        ("mctl up ", ["db", "prod", "web-1", "web-2"]),
        ("mctl preview p", ["prod"]),
        ("mctl ip --js", ["--json"]),
        ("mctl create -d ", sorted([*drivers.names(), *drivers.ALIASES])),
        ("mctl create --driver=gen", ["--driver=generic"]),
        ("mctl create web --provider generic --generic-ssh-k", ["--generic-ssh-key"]),
        ("mctl create web --provider qemu --generic-ssh-k", []),
        ("mctl create --engine-install d", ["docker", "distro"]),
        ("mctl create --stack ", ["prod"]),
        ("mctl env --shell f", ["fish"]),
        ("mctl ls --filter d", ["driver="]),
        ("mctl ls --filter driver=q", ["driver=qemu"]),
        ("mctl ls --filter=state=Sta", ["--filter=state=Starting"]),
        ("mctl ls --filter name=d", ["name=db"]),
        ("mctl nope x", []),
    ],
)
def test_the_end_of_a_line_is_completed(line: str, offered: list[str]) -> None:
    assert asked(line) == offered


def test_bash_gets_what_follows_its_word_breaks() -> None:
    assert asked("mctl create --driver=gen", "bash") == ["generic"]
    assert asked("mctl ls --filter driver=q", "bash") == ["qemu"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_that_takes_machines_completes_them(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways: the short one, and typer's, which is taken after an option."""
    monkeypatch.setattr(os, "environ", os.environ.copy())
    monkeypatch.setattr(sys, "argv", sys.argv)
    first = next((each.name for each in load(verb).params if each.param_type_name == "argument"), "")
    takes = first in ("name", "names") and verb not in ("create", "import")  # whose machines are not here yet
    assert takes == (verb in (*completion.ONE, *completion.MANY, *completion.STACKS))
    for line in (f"mctl {verb} web-", f"mctl {verb} --help web-"):
        assert completion.answer("fish", line).split() == (["web-1", "web-2"] if takes else [])


@pytest.mark.parametrize("line", ["mctl ip ", "mctl up ", "mctl env --shell ", "mctl ls --filter state="])
def test_names_and_known_values_need_neither_typer_nor_pulumi(line: str) -> None:
    told = subprocess.run(
        [sys.executable, "-X", "importtime", PROGRAM, completion.ENTRY, "zsh", line], capture_output=True, text=True
    )
    assert told.stdout
    imported = {each.rpartition("|")[2].strip().partition(".")[0] for each in told.stderr.splitlines() if "|" in each}
    assert imported & {"typer", "rich", "pulumi", "yaml", "ruamel"} == set()


def test_the_scripts_are_printed(mctl: Run) -> None:
    for script in SCRIPTS.iterdir():
        assert mctl("completion", script.suffix[1:]) == Ran(0, script.read_text(), "")
    assert mctl("completion", "csh") == Ran(
        2,
        "",
        "Error: invalid value for 'shell': 'csh' is not one of 'bash', 'zsh', 'fish', 'powershell'\n"
        "  hint: mctl completion --help\n",
    )


def test_bash_completes(tmp_path: Path) -> None:
    script = 'source <(mctl completion bash); COMP_LINE=$1; COMP_POINT=$2; _mctl; printf "%s\\n" "${COMPREPLY[@]}"'

    def complete(line: str, point: int) -> list[str]:
        command = ["bash", "-c", script, "bash", line, str(point)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert done.stderr == ""
        return done.stdout.split()

    assert complete("mctl ip web", 11) == ["web-1", "web-2"]
    assert complete("mctl ip d web-1", 9) == ["db"]
    assert complete("mctl create --provider=gen", 26) == ["generic"]
    assert complete("mctl st", 7) == ["start", "stop", "status"]


def test_bash_completes_at_the_prompt() -> None:
    assert typed("bash", "--norc", "-i", load="source <(mctl completion bash)", line="mctl ip d\t") == "mctl ip db"
    assert typed("bash", "--norc", "-i", load="source <(mctl completion bash)", line="mctl ls --filter dri\t") == (
        "mctl ls --filter driver="
    )


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("mctl ip d\t", "mctl ip db"),
        ("mctl create --provider=gen\t", "mctl create --provider=generic"),
        ("mctl ls --filter dri\t", "mctl ls --filter driver="),
        ("mctl complet\t", "mctl completion"),
    ],
)
def test_zsh_completes_at_the_prompt(line: str, completed: str) -> None:
    begin = "autoload -Uz compinit; compinit -D -u; source <(mctl completion zsh)"
    assert typed("zsh", "-f", "-i", load=begin, line=line) == completed


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
def test_fish_completes() -> None:
    def complete(line: str) -> list[str]:
        script = "mctl completion fish | source; complete --do-complete=$argv[1]"
        command = ["fish", "--no-config", "-c", script, "--", line]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()

    assert complete("mctl ip web") == ["web-1", "web-2"]
    assert complete("mctl ip ") == ["db", "web-1", "web-2"]
    assert complete("mctl ip --js") == ["--json\tPrint JSON"]
    assert complete("mctl create --provider=gen") == ["--provider=generic"]
    assert "stop\tShut machines down" in complete("mctl st")
    assert "/etc/" in complete("mctl create web --provider generic --generic-ssh-key /et")


@pytest.mark.skipif(not shutil.which("pwsh"), reason="PowerShell is not installed")
def test_powershell_completes() -> None:
    script = (
        "mctl completion powershell | Out-String | Invoke-Expression; "
        "(TabExpansion2 'mctl ip web' 11).CompletionMatches.CompletionText"
    )
    done = subprocess.run(["pwsh", "-NoProfile", "-Command", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["web-1", "web-2"]


def test_the_powershell_script_asks_as_the_others_do() -> None:
    script = (SCRIPTS / "mctl.powershell").read_text()
    assert "Register-ArgumentCompleter -Native -CommandName mctl " in script
    assert f"mctl {completion.ENTRY} powershell $line" in script
    assert script.count("{") == script.count("}")


def typed(*shell: str, load: str, line: str) -> str:
    """Type a line in an interactive shell, and give the line as it is after the last key."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe(shell[0], shell, {**os.environ, "PS1": "$ ", "TERM": "dumb", "HISTFILE": ""})
    try:
        os.write(terminal, f"{load}; echo rea''dy\n".encode())
        until(terminal, r"ready\r\n(?s:.*)\$ ")
        os.write(terminal, f"{line}\x01echo '\x05'; echo e''nd\n".encode())  # ^A and ^E: around the whole line
        return until(terminal, "end\r\n").rpartition("\r\n")[0].rpartition("\n")[2].rstrip()
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def until(terminal: int, pattern: str) -> str:
    """Read until the pattern is there, and give what came before it."""
    said, end = "", time.monotonic() + SECONDS
    while not (found := re.search(pattern, said)):
        assert time.monotonic() < end, f"no {pattern} in {said!r}"
        if select.select([terminal], [], [], 0.1)[0]:
            said += os.read(terminal, 4096).decode()
    return said[: found.start()]
