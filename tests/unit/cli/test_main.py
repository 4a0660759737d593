import inspect
import json
import os
import pty
import re
import shlex
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from cli import main
from cli.app import VERBS, load
from infra.errors import MctlError
from infra.stacks import records
from tests.cli_runner import PROGRAM, Ran, Run, in_process
from tests.stack_outputs import outputs
from tests.unit.infra.stacks.test_pulumi_program import pulumi

PANELS = ("Machines", "Connect", "Stacks", "This computer")
UNKNOWN = 'Error: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n'
pytestmark = pytest.mark.usefixtures("mctl_home")


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_mctl_alone_shows_every_verb_in_its_group(mctl: Run, arguments: tuple[str, ...]) -> None:
    ran = mctl(*arguments)
    assert (ran.code, ran.err) == (0, "")
    assert "Usage: mctl [OPTIONS] COMMAND [ARGS]..." in ran.out
    shown = [line.strip("│ ") for line in ran.out.splitlines()]
    titles = [line.strip("╭─╮ ") for line in ran.out.splitlines() if line.startswith("╭")]
    assert titles == ["Options", *PANELS]
    assert [line.split(maxsplit=1) for line in shown if line.split(" ")[0] in VERBS] == [
        [name, verb.summary.replace("`", "")] for panel in PANELS for name, verb in VERBS.items() if verb.panel == panel
    ]


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if Path(main.__file__).with_name("commands").joinpath(f"{verb}.py").exists()]
)
def test_every_verb_explains_itself(mctl: Run, verb: str) -> None:
    arguments = ("--provider", "generic") if verb == "create" else ()
    ran = mctl(verb, *arguments, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert f"Usage: mctl {verb} " in ran.out
    assert verb == "create" or mctl("help", verb) == ran


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example_that_parses(verb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = load(verb)
    (example,) = re.findall(r"^Example: `(.+)`$", inspect.cleandoc(command.help), re.MULTILINE)
    (line,) = re.findall(rf"\bmctl {verb}[^)]*", example)
    arguments = shlex.split(line)[2:]
    monkeypatch.setattr(sys, "argv", ["mctl", verb, *arguments])
    for module in [name for name in sys.modules if name.startswith("cli.commands.")]:
        monkeypatch.delitem(sys.modules, module)  # create's options are made from the command line
    command = load(verb)
    context = command.make_context(verb, list(arguments))
    assert any(context.get_parameter_source(each.name).name == "COMMANDLINE" for each in command.params)


def test_help_of_what_is_no_verb_is_a_usage_error(mctl: Run) -> None:
    assert mctl("help") == mctl("--help")
    assert mctl("help", "crate") == Ran(2, "", "mctl: 'crate' is not a command; did you mean 'create'?\n")
    assert mctl("help", "ls", "ip") == Ran(
        2, "", "Error: got unexpected extra argument(s) (ip)\n  hint: mctl help --help\n"
    )


def test_version_is_that_of_the_package(mctl: Run) -> None:
    assert mctl("--version") == mctl("-v") == Ran(0, "mctl version 0.1.0\n", "")


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_version_names_the_pulumi_engine_and_the_plugins(
    mctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    engine = pulumi(tmp_path / "bin", "v3.300.1")
    told = {
        "Pulumi engine": f"3.300.1, PATH: {engine}",
        "Plugin tls": f"{version('pulumi-tls')}, mctl's own: the official one can't be had",
        "Plugin command": f"{version('pulumi-command')}, mctl's own: the official one can't be had",
    }
    lines = "".join(f"{name:<17}{value}\n" for name, value in told.items())
    assert mctl("version") == Ran(0, f"mctl version 0.1.0\n{lines}", "")
    ran = mctl("version", "--json")
    assert (ran.code, json.loads(ran.out), ran.err) == (0, {"version": "0.1.0", "programs": told}, "")


@pytest.mark.parametrize(
    ("verb", "suggestion"), [("craete", "; did you mean 'create'?"), ("lss", "; did you mean 'ls'?"), ("xyzzy", "")]
)
def test_an_unknown_verb_is_a_usage_error_with_a_suggestion(mctl: Run, verb: str, suggestion: str) -> None:
    assert mctl(verb, "web-1") == Ran(2, "", f"mctl: {verb!r} is not a command{suggestion}\n")


def test_an_unknown_option_before_the_verb_is_a_usage_error(mctl: Run) -> None:
    assert mctl("--verson") == Ran(
        2, "", "Error: no such option: --verson; did you mean --version?\n  hint: mctl --help\n"
    )


@pytest.mark.parametrize("variable", [None, "1", "true"])
def test_debug_shows_the_traceback_before_the_error(
    mctl: Run, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv("MCTL_DEBUG", variable)
    ran = mctl(*(() if variable else ("--debug",)), "ip", "nope")
    assert ran.code == 4
    assert ran.err.startswith("Traceback (most recent call last):\n")
    assert ran.err.endswith(UNKNOWN)


@pytest.mark.parametrize("variable", ["", "0", "false", "False"])
def test_debug_can_be_off_by_name(mctl: Run, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_DEBUG", variable)
    assert mctl("ip", "nope") == Ran(4, "", UNKNOWN)


def test_a_fault_of_ours_is_one_line_and_how_to_see_more(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(records, "names", fail)
    assert in_process("ls", "-q") == Ran(
        1,
        "",
        "Error: ZeroDivisionError: by nothing\n"
        "  hint: this is a fault in mctl; run the same command with `mctl --debug …` for the traceback\n",
    )
    shown = in_process("--debug", "ls", "-q")
    assert shown.err.startswith("Traceback")
    assert shown.err.endswith("Error: ZeroDivisionError: by nothing\n")


def test_an_error_without_a_hint_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MctlError("it broke")

    monkeypatch.setattr(records, "names", fail)
    assert in_process("ls", "-q") == Ran(1, "", "Error: it broke\n")


def test_ctrl_c_is_exit_130() -> None:
    script = (
        "import sys, time\n"
        "from infra.stacks import records\n"
        "records.names = lambda: print('waiting', flush=True) or time.sleep(60)\n"
        "sys.argv = ['mctl', *sys.argv[1:]]\n"
        "from cli.main import main\n"
        "sys.exit(main())\n"
    )
    for arguments in (["ls", "-q"], ["ls"]):
        running = subprocess.Popen(
            [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert running.stdout is not None
        assert running.stdout.readline() == "waiting\n"
        running.send_signal(signal.SIGINT)
        out, err = running.communicate()
        assert (running.returncode, out, err) == (130, "", "")


@pytest.mark.parametrize("arguments", [("ls", "-q"), ("--help",), ("ls",)])
def test_a_reader_that_goes_away_is_no_error(arguments: tuple[str, ...]) -> None:
    records.save(outputs("web-1", docker_url="tcp://127.0.0.1:1", running=False), stack="prod", project="/project")
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = subprocess.run([PROGRAM, *arguments], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def on_terminal(*arguments: str, **variables: str) -> str:
    """Run mctl with a terminal as its stderr, and give what was written there."""
    ours, theirs = pty.openpty()
    try:
        subprocess.run([PROGRAM, *arguments], env={**os.environ, **variables}, stderr=theirs, check=False)
        return os.read(ours, 4096).decode().replace("\r\n", "\n")
    finally:
        os.close(ours)
        os.close(theirs)


def test_errors_are_in_colour_on_a_terminal_alone() -> None:
    assert on_terminal("ip", "nope", TERM="xterm") == (
        '\x1b[1;31mError:\x1b[0m machine "nope" does not exist\n  \x1b[2mhint:\x1b[0m mctl ls, or mctl create nope\n'
    )
    assert on_terminal("ip", "nope", TERM="xterm", NO_COLOR="1") == UNKNOWN
    assert on_terminal("ip", "nope", TERM="dumb") == UNKNOWN
