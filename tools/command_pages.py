"""Print docs/commands.md: every command with its options, made of what the command line says of itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import typer

from cli.app import VERBS, app
from tools.man_page import EXIT_CODES, context, flags, is_providers, load

HEAD = """\
# Commands

`mctl help VERB` shows the same. The options of a provider are on [its own page](providers/index.md)."""


def page() -> Iterator[str]:
    """Give the page, paragraph by paragraph."""
    root = typer.main.get_command(app)
    yield HEAD
    yield options(root, root.params)
    for panel in dict.fromkeys(verb.panel for verb in VERBS.values()):
        yield f"## {panel}"
        for name, verb in VERBS.items():
            if verb.panel == panel:
                yield from command(name)
    yield "## Exit codes"
    yield "\n".join(["| code | |", "|---|---|", *(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items())])


def command(name: str) -> Iterator[str]:
    """Give a verb's part: how it is called, what it does, and its options, those of a provider left out."""
    verb = load(name)
    usage = " ".join(["mctl", name, *verb.collect_usage_pieces(context(verb))]).replace("{", "").replace("}", "")
    yield f"### {name}"
    yield f"```text\n{usage}\n```"
    yield cleandoc(verb.help)
    yield options(verb, [each for each in verb.params if not is_providers(each)])


def options(verb: Any, chosen: list[Any]) -> str:
    """Give a table of arguments and options."""
    records = [each.get_help_record(context(verb)) for each in chosen]
    rows = [f"| `{cell(flags(record[0]))}` | {cell(record[1])} |" for record in records if record]
    return "\n".join(["| option | |", "|---|---|", *rows])


def cell(text: str) -> str:
    """Keep a table from reading anything into words."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.stdout.write("\n\n".join(page()) + "\n")
