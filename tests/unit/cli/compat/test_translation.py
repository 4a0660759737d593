"""A parsed command line of docker-machine is one of mctl."""

from __future__ import annotations

from typing import Any

import pytest

from cli import app
from cli.compat import entry, flags
from cli.compat.verbs import VERBS

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
