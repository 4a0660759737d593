"""The commands that a page of docs/ shows, in their order, each with the output that it shows."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from typing import NamedTuple

from tests.hosts.shop import REPOSITORY, Shop

# A block that can't be run here says why on the line before it.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```console\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
CHANGING = re.compile(r"\d+\.\d+\.\d+\.\d+|\d{4}-\d\d-\d\d| +")  # addresses, dates, and what lines columns up


class Step(NamedTuple):
    """A command line and what the page says it prints, or nothing."""

    command: str
    shown: str


def steps(page: str) -> Iterator[Step]:
    """Give a page's commands. page: its path in docs/."""
    for block in BLOCK.finditer((REPOSITORY / "docs" / page).read_text()):
        if not block["reason"]:
            for step in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
                command, _, shown = step.partition("\n")
                yield Step(command, shown)


def follow(page: str, shop: Shop) -> int:
    """Run a page's commands in one shell, in a shop's folder; give how many there were.

    Raises AssertionError for the first that fails or prints something else.
    """
    done = list(steps(page))
    script = "".join(f"{{ {step.command}\n}} >{number}.out || exit 1\n" for number, step in enumerate(done))
    ran = subprocess.run(
        ["bash", "-c", script], cwd=shop.folder, env=shop.with_programs(), capture_output=True, text=True, check=False
    )
    for number, step in enumerate(done):
        file = shop.folder / f"{number}.out"
        assert file.exists(), f"{done[number - 1].command}: {ran.stderr}"
        said = file.read_text()
        if step.shown:
            assert CHANGING.sub("~", said) == CHANGING.sub("~", step.shown), step.command
    assert ran.returncode == 0, ran.stderr
    return len(done)
