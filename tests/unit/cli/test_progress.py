"""Progress on a real terminal and without one; results stay on standard output either way."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys

import pytest

SCRIPT = """\
import sys
from cli.progress import progress
from infra.stacks.progress import Progress
with progress() as report:
    report(Progress("box", "first [step]"))
    report(Progress("box", "a notice", notice=True))
    report(Progress("", "second"))
    print("a result", flush=True)
    {end}
"""
pytestmark = pytest.mark.skipif(os.name == "nt", reason="there are no pseudo-terminals")


def on_terminal(end: str, **variables: str) -> tuple[str, str]:
    """Run the script with a terminal for its standard error; give what went there, and its standard output."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80", **variables}
    run = subprocess.Popen(
        [sys.executable, "-c", SCRIPT.format(end=end)],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=environment,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65536):
            shown += chunk
    except OSError:  # how Linux says that the other end is closed
        pass
    os.close(ours)
    out, _ = run.communicate(timeout=30)
    return shown.decode(), out


def plain(shown: str) -> list[str]:
    """Take the terminal's codes away; give the lines that stay."""
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).replace("\r", "\n")
    return [line for line in text.split("\n") if line.startswith(("✓", "✗", "!"))]


def test_on_a_terminal_what_is_behind_stays_with_its_seconds_and_results_go_to_standard_output() -> None:
    shown, out = on_terminal("pass")
    assert out == "a result\n"
    assert plain(shown) == ["! (box) a notice", "✓ (box) first [step] 0 s", "✓ second 0 s"]


def test_the_step_that_failed_is_marked() -> None:
    shown, _ = on_terminal("sys.exit(1)")
    assert plain(shown)[-1] == "✗ second 0 s"


def test_no_color_is_heard() -> None:
    colour = re.compile(r"\x1b\[[0-9;]*3[0-9]m")
    assert colour.search(on_terminal("pass")[0])
    assert not colour.search(on_terminal("pass", NO_COLOR="1")[0])


def test_without_a_terminal_each_step_is_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(end="pass")], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stdout == "a result\n"
    assert done.stderr == "(box) first [step]\n(box) a notice\nsecond\n"
