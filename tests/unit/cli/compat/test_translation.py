"""A parsed command line of docker-machine is one of mctl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli import app
from cli.compat import create, entry, flags, usage
from cli.compat.driver_flags import DRIVERS
from cli.compat.verbs import VERBS

PAGE = Path(app.__file__).parents[1] / "docs" / "compatibility.md"
OWN = {"create", "help", "rm"}  # these read their flags themselves


@pytest.mark.parametrize(
    ("verb", "line", "argv"),
    [
        ("ls", "-q --filter driver=qemu -filter=name=a", "ls --quiet --filter=driver=qemu --filter=name=a"),
        ("ls", "-t 3 -f {{.Name}}", "ls --timeout=3 --format={{.Name}}"),
        ("env", "web-1 -u=false --no-proxy --shell fish", "env --no-proxy --shell=fish web-1"),
        ("inspect", "-f {{.Driver}} web-1", "inspect --format={{.Driver}} web-1"),
        ("regenerate-certs", "a -f -client-certs b", "regenerate-certs --force --client-certs a b"),
        ("scp", "-r -d a:/x .", "scp --recursive --delta a:/x ."),
        ("ip", "-- -a", "ip -- -a"),
        ("active", "-t 1", "active --timeout=1"),
    ],
)
def test_flags_become_their_long_forms(verb: str, line: str, argv: str) -> None:
    names, values = flags.parse(line.split(), VERBS[verb].flags)
    assert entry.as_mctl(verb, names, values) == argv.split()


@pytest.mark.parametrize("verb", sorted(set(VERBS) - OWN))
def test_mctl_has_each_verb_with_these_flags(verb: str) -> None:
    taken: Any = app.load(verb).params
    spellings = {spelling for parameter in taken for spelling in parameter.opts}
    assert {f"--{flag.name}" for flag in VERBS[verb].flags} <= spellings


def test_the_page_tells_of_every_verb_driver_and_flag() -> None:
    page = PAGE.read_text()
    spellings = {f"--{flag.name}" for flag in (*usage.GLOBALS, *create.SHARED)}
    for flag in (flag for verb in VERBS.values() for flag in verb.flags):
        short = flag.short or flag.name
        spellings.add(f"-{short}" if len(short) == 1 else f"--{short}")
    words = {*VERBS, *DRIVERS, *spellings, *(flag.env for flag in create.SHARED if flag.env)}
    assert [word for word in sorted(words) if f"`{word}`" not in page] == []
