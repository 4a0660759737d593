"""Flags as docker-machine takes them: `-f v`, `--f=v`, before and after names. (Go's package flag.)

Reads come through here too, so next to nothing is imported.
"""

from __future__ import annotations

import os

from infra.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = str | int | bool | tuple[str, ...]
# What Go's strconv.ParseBool takes.
BOOLEANS = dict.fromkeys(("1", "t", "T", "true", "TRUE", "True"), True) | dict.fromkeys(
    ("0", "f", "F", "false", "FALSE", "False"), False
)
HELP = ("h", "help")


class Flag:
    """One flag. The type of its default is its own: text, a number, a switch, or a tuple for one that repeats.

    env: the variable that sets it where the command line does not. short: a second name, of one letter. text: for help.
    """

    __slots__ = ("default", "env", "name", "short", "text")

    def __init__(self, name: str, default: Value = "", env: str = "", *, short: str = "", text: str = "") -> None:
        self.name, self.default, self.env, self.short, self.text = name, default, env, short, text

    @property
    def is_switch(self) -> bool:
        """Tell whether it stands without a value."""
        return isinstance(self.default, bool)


def switch(name: str, env: str = "", *, short: str = "", text: str = "", on: bool = False) -> Flag:
    """Make a flag without a value. on: it is so unless it is set to false."""
    return Flag(name, on, env, short=short, text=text)


class HelpWanted(Exception):  # noqa: N818 - it is no error
    """The user asks for help instead."""


def parse(
    arguments: Sequence[str], flags: Iterable[Flag], *, interspersed: bool = True
) -> tuple[list[str], dict[str, Value]]:
    """Split a command line into names and the flags that it sets, by name.

    interspersed: flags may follow names; else all from the first name on is given back as it is. Raises UsageError in
    the words of Go, and HelpWanted.
    """
    known = {spelling: flag for flag in flags for spelling in (flag.name, flag.short) if spelling}
    names: list[str] = []
    values: dict[str, Value] = {}
    left = list(arguments)
    while left:
        argument = left.pop(0)
        if argument == "--":
            return names + left, values
        if not argument.startswith("-") or argument == "-":
            names.append(argument)
            if not interspersed:
                return names + left, values
            continue
        spelling, equals, value = argument.removeprefix("-").removeprefix("-").partition("=")
        if spelling in HELP and spelling not in known:
            raise HelpWanted
        if spelling not in known:
            raise UsageError(f"flag provided but not defined: -{spelling}")
        flag = known[spelling]
        if not equals and not flag.is_switch and not left:
            raise UsageError(f"flag needs an argument: -{spelling}")
        _set(values, flag, value if equals else "true" if flag.is_switch else left.pop(0), spelling)
    return names, values


def with_environment(values: dict[str, Value], flags: Iterable[Flag]) -> dict[str, Value]:
    """Add the flags that the environment sets and the command line does not. Raises UsageError."""
    found = dict(values)
    for flag in flags:
        text = os.environ.get(flag.env, "") if flag.env else ""
        if text and flag.name not in values:
            for item in text.split(",") if isinstance(flag.default, tuple) else (text,):
                _set(found, flag, item.strip(), flag.name)
    return found


def _set(values: dict[str, Value], flag: Flag, text: str, spelling: str) -> None:
    if isinstance(flag.default, tuple):
        before = values.get(flag.name, ())
        values[flag.name] = (*before, text) if isinstance(before, tuple) else (text,)
    elif flag.is_switch:
        if text not in BOOLEANS:
            raise UsageError(f'invalid boolean value "{text}" for -{spelling}: {not_parsed("ParseBool", text)}')
        values[flag.name] = BOOLEANS[text]
    elif isinstance(flag.default, int):
        if not text.removeprefix("-").removeprefix("+").isdecimal():
            raise UsageError(f'invalid value "{text}" for flag -{spelling}: {not_parsed("ParseInt", text)}')
        values[flag.name] = int(text)
    else:
        values[flag.name] = text


def not_parsed(function: str, text: str) -> str:
    """Say what strconv of Go says of a text that it can't read."""
    return f'strconv.{function}: parsing "{text}": invalid syntax'


def lines(flags: Iterable[Flag]) -> list[str]:
    """Give a help line for each flag: its spellings, what it does, its default and its variable."""
    found = []
    for flag in sorted(flags, key=lambda flag: flag.name):
        spelled = ("--" if len(flag.name) > 1 else "-") + flag.name + (f", -{flag.short}" if flag.short else "")
        default = ", ".join(flag.default) if isinstance(flag.default, tuple) else "" if flag.is_switch else flag.default
        said = [flag.text, f"(default: {default})" if default else "", f"[${flag.env}]" if flag.env else ""]
        said.append("(repeatable)" if isinstance(flag.default, tuple) else "")
        found.append(f"   {spelled:<36} {' '.join(filter(None, said))}".rstrip())
    return found
