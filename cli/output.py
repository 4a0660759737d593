"""How mctl speaks: JSON, tables, and errors with what mends them."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TextIO

    from infra.errors import MctlError

GAP = 3
program = "mctl"  # what hints call this program; whoever speaks for it under another name says so here
LEAST_WIDTH = 5


def as_json(value: Any) -> str:
    """Write a value as JSON, four spaces deep."""
    import json

    return json.dumps(value, indent=4, ensure_ascii=False) + "\n"


def table(rows: Sequence[Sequence[str]]) -> str:
    """Set rows in columns, three spaces apart, as docker-machine does. A row may be short of cells."""
    from itertools import zip_longest

    columns = zip_longest(*rows, fillvalue="")
    widths = [max(LEAST_WIDTH, GAP + max(map(len, column))) for column in columns]
    return "".join("".join(map(str.ljust, row, widths)).rstrip() + "\n" for row in rows)


def fault(error: Exception, *, debug: bool = False) -> MctlError:
    """Turn an exception that nobody foresaw into an error that can be told. debug: its traceback is shown already."""
    from infra.errors import MctlError

    mend = "this is a fault in mctl; run the same command with `mctl --debug …` for the traceback"
    return MctlError(f"{type(error).__name__}: {error}", mend=None if debug else mend)


def trace(argv: Sequence[str]) -> bool:
    """Show the traceback of the exception at hand where `--debug` or MCTL_DEBUG asks for it; tell whether it does.

    After the verb, `--debug` may be meant for a remote command.
    """
    if not (_is_given(("--debug", "-D"), argv) or os.environ.get("MCTL_DEBUG", "").lower() not in ("", "0", "false")):
        return False
    import traceback

    traceback.print_exc()
    return True


def print_error(error: MctlError) -> None:
    """Say on stderr what happened, and on the next line what mends it."""
    say("Error", error.message, error.mend)


def say(subject: str, message: str, mend: str | None) -> None:
    """Write `subject: message` and the hint to stderr, in colour on a terminal unless NO_COLOR is set.

    Without a subject, the message stands alone.
    """
    red, dim, plain = ("\x1b[1;31m", "\x1b[2m", "\x1b[0m") if _in_colour(sys.stderr) else ("", "", "")
    text = f"{red}{subject}:{plain} {message}\n" if subject else f"{message}\n"
    if mend:
        text += f"  {dim}hint:{plain} {named(mend)}\n"
    sys.stdout.flush()
    sys.stderr.write(text)
    sys.stderr.flush()


def named(text: str) -> str:
    """Call this program in a hint by the name that it speaks under."""
    return text.replace("mctl ", f"{program} ")


def _is_given(flags: Sequence[str], argv: Sequence[str]) -> bool:
    for argument in argv:
        if argument in flags or not argument.startswith("-"):
            return argument in flags
    return False


def _in_colour(stream: TextIO) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
