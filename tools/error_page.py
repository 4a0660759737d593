"""Print docs/troubleshooting.md: every error that mctl can tell with what mends it, read out of the code."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from infra import errors
from infra.errors import MctlError

ROOT = Path(__file__).parents[1]
HEAD = """\
# Troubleshooting

Every error says what happened, to which machine, and on its next line, after `hint:`, what mends it. Here they all are,
by the beginning of their text: look for the words that you see. `…` stands for a name, an address or a program's words.

- The same command once more goes on where a failed or stopped one ended.
- `mctl doctor` looks at this computer, and with `--provider NAME` at your account there.
- `mctl refresh NAME` looks at what is really there; `mctl up NAME` mends what differs.
- `mctl --debug …` shows the traceback: for faults of mctl itself."""
TITLES = {
    "MctlError": "Anything else",
    "UsageError": "A command line or a stack file that can't mean anything",
    "PreCreateError": "Refused before anything was made",
    "NotFoundError": "Not found",
    "NameTakenError": "Names that are in use",
    "AlreadyError": "Nothing to do",
    "StackLockedError": "Another run is at work",
    "PassphraseError": "Passphrases",
    "RecordError": "Records",
    "HostError": "The host",
    "StackError": "The Pulumi engine, and what it was asked for",
    "Interrupted": "Stopped runs",
}
LETTERS = 12  # of an error's own words; with fewer nobody finds it here


class Told(NamedTuple):
    """An error's text and what mends it, with `…` for what is only known when it happens."""

    text: str
    mend: str


def page() -> Iterator[str]:
    """Give the page, paragraph by paragraph."""
    found = errors_told()
    yield HEAD
    for kind, title in sorted(TITLES.items(), key=lambda item: item[0] == "MctlError"):
        told = sorted(found.get(kind, ()), key=lambda each: (each.text.lower(), *each))
        if told:
            yield f"## {title}"
            yield f"Exit code {getattr(errors, kind).exit_code}."
            rows = [f"| {cell(each.text)} | {cell(each.mend)} |" for each in told]
            yield "\n".join(["| error | what mends it |", "|---|---|", *rows])


def errors_told() -> dict[str, set[Told]]:
    """Read each error that the code makes, by its class."""
    found: dict[str, set[Told]] = {}
    for file in sorted([*ROOT.glob("cli/**/*.py"), *ROOT.glob("infra/**/*.py")]):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args and kind(node.func.id):
                text = words(node.args[0])
                mend = next((words(each.value) for each in node.keywords if each.arg == "mend"), "")
                if len(re.sub(r"\W", "", text)) >= LETTERS:
                    found.setdefault(node.func.id, set()).add(Told(text, re.sub("^…$", "", mend)))
    return found


def kind(name: str) -> bool:
    """Tell whether a name is that of one of our errors."""
    return name in TITLES and issubclass(getattr(errors, name), MctlError)


def words(node: ast.expr) -> str:
    """Give a text as far as the code has it."""
    if isinstance(node, ast.Constant):
        return str(node.value or "")
    if isinstance(node, ast.JoinedStr):
        return "".join(words(part) for part in node.values)
    if isinstance(node, ast.IfExp):
        return words(node.body) or words(node.orelse)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return words(node.left) + words(node.right)
    return "…"


def cell(text: str) -> str:
    """Keep a table from reading anything into words."""
    plain = " ".join(text.split()).replace("|", "\\|").replace("`", "'").replace("… …", "…")
    return f"`{plain}`" if plain else ""


if __name__ == "__main__":
    sys.stdout.write("\n\n".join(page()) + "\n")
