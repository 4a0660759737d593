"""What a command line may go on with. Names and values are found without typer; the rest is typer's own answer.

The shells' scripts (cli/completions/) call `mctl __complete SHELL LINE` and read `VALUE<tab>HELP` lines.
"""

from __future__ import annotations

import os

from infra.stacks import lookup, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

ENTRY = "__complete"
ONE = ("config", "env", "export", "inspect", "rename", "set", "ssh", "status", "url", "version")
MANY = (
    "check",
    "ip",
    "kill",
    "provision",
    "regenerate-certs",
    "restart",
    "rm",
    "ssh-config",
    "start",
    "stop",
    "upgrade",
)
STACKS = ("drift", "preview", "refresh", "unlock", "up")  # a stack, or a machine in it
STATES = ("Running", "Paused", "Saved", "Stopped", "Stopping", "Starting", "Error", "Timeout")
FILTERS = ("driver=", "label=", "name=", "state=", "swarm=")


def answer(shell: str, line: str) -> str:
    """Give the candidates for the last word of a command line, up to the cursor, as the shell's script reads them."""
    words = _split(line)[1:]
    incomplete = "" if line[-1:].isspace() else words.pop() if words else ""
    found = candidates(words, incomplete)
    if found is None:
        return _typer(words, incomplete)
    # bash has split words there, and replaces what comes after.
    cut = 1 + max(incomplete.rfind("="), incomplete.rfind(":")) if shell == "bash" else 0
    return "".join(f"{candidate[cut:]}\n" for candidate in found)


def candidates(words: Sequence[str], incomplete: str) -> list[str] | None:
    """Give what the word may become; None where typer knows it."""
    verb = next((word for word in words if not word.startswith("-")), "")
    option, equals, value = incomplete.partition("=")
    if equals and option.startswith("--"):
        values = _values(verb, option, value)
        return values and [f"{option}={candidate}" for candidate in values]
    values = _values(verb, words[-1], incomplete) if words else None
    if values is not None:
        return values
    given = list(words[list(words).index(verb) + 1 :]) if verb else []
    if incomplete.startswith("-") or any(word.startswith("-") for word in given):
        return None
    return _names(verb, given, incomplete)


def _names(verb: str, given: Sequence[str], incomplete: str) -> list[str] | None:
    if verb in MANY:
        return [name for name in _beginning(incomplete, records.names()) if name not in given]
    if verb in ONE:
        return [] if given else _beginning(incomplete, records.names())
    if verb in STACKS:
        return [] if given else _beginning(incomplete, records.in_order({*records.names(), *lookup.stacks()}))
    return None


def _values(verb: str, option: str, value: str) -> list[str] | None:
    """Give the values of an option that has known ones."""
    if verb == "create" and option in ("--provider", "--driver", "-d"):
        return _beginning(value, _providers())
    if verb == "ls" and option == "--filter":
        key, equals, wanted = value.partition("=")
        of_key: dict[str, Callable[[], Iterable[str]]] = {
            "driver": _providers,
            "state": lambda: STATES,
            "name": records.names,
        }
        if not equals:
            return _beginning(value, FILTERS)
        return [f"{key}={one}" for one in _beginning(wanted, of_key.get(key, list)())]
    known: dict[str, Callable[[], Iterable[str]]] = {
        "--shell": _shells,
        "--stack": lookup.stacks,
        "--engine-install": _installs,
    }
    return _beginning(value, known[option]()) if option in known else None


def _providers() -> Iterable[str]:
    from infra.components.drivers import ALIASES, names

    return sorted([*names(), *ALIASES])


def _shells() -> Iterable[str]:
    from cli.shells import ALIASES, SET

    return sorted([*SET, *ALIASES])


def _installs() -> Iterable[str]:
    from infra.machine import ENGINE_INSTALLS

    return ENGINE_INSTALLS


def _beginning(prefix: str, known: Iterable[str]) -> list[str]:
    return [one for one in known if one.startswith(prefix)]


def _split(line: str) -> list[str]:
    """Split a line that may end within quotes."""
    if not any(quote in line for quote in "\"'\\"):
        return line.split()
    import shlex

    for end in ("", '"', "'"):
        try:
            return shlex.split(line + end)
        except ValueError:
            continue
    return line.split()


def _typer(words: Sequence[str], incomplete: str) -> str:
    """Have typer answer, by its protocol for fish, whose lines are ours too."""
    import io
    import shlex
    import sys
    from contextlib import redirect_stdout, suppress

    from typer.completion import completion_init  # type: ignore[attr-defined]

    sys.argv = ["mctl", *words]  # the options of `create` are those of the provider that is named there
    os.environ |= {
        "_MCTL_COMPLETE": "complete_fish",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "_TYPER_COMPLETE_ARGS": f"{shlex.join(['mctl', *words])} {incomplete}",
    }
    from cli.app import app

    completion_init()
    out = io.StringIO()
    with redirect_stdout(out), suppress(SystemExit):
        app(args=[], prog_name="mctl", standalone_mode=False)
    return out.getvalue().lstrip("\n")
