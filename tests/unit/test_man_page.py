"""The manual page is that of this command line, and one that every man can show."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.app import VERBS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "mctl.1"


def test_the_page_is_what_the_command_line_says_of_itself() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "tools" / "man_page.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert made.stdout == PAGE.read_text(), "make man writes it anew"


@pytest.mark.skipif(not shutil.which("groff"), reason="groff is not installed")
def test_the_page_renders_without_a_warning_and_tells_each_verb_with_its_options() -> None:
    shown = subprocess.run(
        ["groff", "-man", "-ww", "-Tascii", "-P-c", "-P-b", "-P-u", "-rLL=200n", PAGE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GROFF_NO_SGR": "1"},
    )
    assert shown.stderr == ""
    lines = shown.stdout.splitlines()
    for verb in VERBS:
        assert any(line.startswith(f"   mctl {verb} ") for line in lines), verb
    for text in ("--instance-id <str>", "--generic-ip-address <str>", "Example: mctl stop web-1 web-2"):
        assert sum(line.strip() == text for line in lines) == 1, text
