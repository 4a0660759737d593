"""Print mctl(1), a manual page made of what the command line says of itself. groff_man(7)."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from inspect import cleandoc
from typing import Any

import typer

from cli.app import VERBS, app, load
from cli.commands.version import own_version
from cli.driver_options import PANEL
from infra.components import drivers

EXIT_CODES = {
    0: "Success.",
    1: "Failure; what happened and what mends it are told on standard error.",
    2: "The command line or a stack's configuration can't mean anything.",
    3: "A check failed before anything was made.",
    4: "There is no machine or stack of that name.",
    130: "The run was stopped.",
}


def page() -> Iterator[str]:
    """Give the page, line by line."""
    root = typer.main.get_command(app)
    yield f'.TH MCTL 1 "" "mctl {own_version()}" "User Commands"'
    yield from (".SH NAME", r"mctl \- Docker hosts on laptops, servers and clouds")
    yield from (".SH SYNOPSIS", ".B mctl", r"[\fIOPTIONS\fR] \fICOMMAND\fR [\fIARGUMENTS\fR]")
    yield from (".SH DESCRIPTION", *text(root.help))
    yield from (".SH OPTIONS", *parameters(root, root.params))
    for panel in dict.fromkeys(verb.panel for verb in VERBS.values()):
        yield f".SH COMMANDS: {panel.upper()}"
        for name, verb in VERBS.items():
            if verb.panel == panel:
                yield from command(name)
    for provider in drivers.names():
        yield from (f".SH {PANEL.format(provider).upper()}", *of_provider(provider))
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from (".TP", f".B {code}", plain(meaning))


def command(name: str) -> Iterator[str]:
    """Give a verb's part: how it is called, what it does, and its options, those of a provider left out."""
    verb = load(name)
    pieces = verb.collect_usage_pieces(context(verb))
    yield f".SS {plain(' '.join(['mctl', name, *pieces]).replace('{', '').replace('}', ''))}"
    yield from text(verb.help)
    yield from parameters(verb, [each for each in verb.params if not is_providers(each)])


def of_provider(provider: str) -> Iterator[str]:
    """Give the options that `create` has with a provider: they depend on the command line."""
    sys.argv = ["mctl", "create", "--provider", provider]
    sys.modules.pop("cli.commands.create", None)
    verb = load("create")
    return parameters(verb, [each for each in verb.params if is_providers(each)])


def is_providers(parameter: Any) -> bool:
    """Tell an option of the chosen provider from `create`'s own."""
    return (parameter.rich_help_panel or "").startswith(PANEL.format(""))


def parameters(verb: Any, chosen: list[Any]) -> Iterator[str]:
    """Give a list of arguments and options, as the plain help has them."""
    for parameter in chosen:
        record = parameter.get_help_record(context(verb))
        if record:
            yield from (".TP", f".B {plain(flags(record[0]))}", plain(record[1]))


def flags(record: str) -> str:
    """Say of an option that takes a list that it can be given more than once."""
    return re.sub(r"<list\[(.+)\]>", r"<\1>...", record)


def context(verb: Any) -> Any:
    """Give a context of a verb that was called with nothing."""
    return verb.make_context(verb.name, [], resilient_parsing=True)


def text(markdown: str) -> Iterator[str]:
    """Give paragraphs, with what is between backticks in bold."""
    for paragraph in cleandoc(markdown).split("\n\n"):
        yield from (".PP", re.sub(r"`([^`]+)`", r"\\fB\1\\fR", plain(" ".join(paragraph.split()))))


def plain(words: str) -> str:
    """Keep roff from reading anything into words."""
    escaped = words.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("…", "...")
    return rf"\&{escaped}" if escaped.startswith(".") else escaped


if __name__ == "__main__":
    print("\n".join(page()))  # noqa: T201 - this is the output
