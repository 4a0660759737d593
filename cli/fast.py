"""The short way for reads: a plain command line is answered without importing typer.

Whatever is not plain (help, unknown options, wrong counts) is left to typer, which explains it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

JSON = {"--json": "json"}
SWARM = {"--swarm": "swarm"}
TEMPLATE = {"--format": "template", "-f": "template"}
# Per verb: its switches, its options with a value, and the most names it takes.
VERBS: dict[str, tuple[dict[str, str], dict[str, str], float]] = {
    "active": (JSON, {}, 0),
    "config": (SWARM | JSON, {}, 1),
    "env": ({"--unset": "unset", "-u": "unset", "--no-proxy": "no_proxy"} | SWARM | JSON, {"--shell": "shell"}, 1),
    "inspect": ({"--json": "as_it_is"}, TEMPLATE, 1),
    "ip": (JSON, {}, float("inf")),
    "ls": ({"-q": "quiet", "--quiet": "quiet"} | JSON, {"--filter": "filters"} | TEMPLATE, 0),
    "url": (JSON, {}, 1),
}
REPEATABLE = ("filters",)
Values = dict[str, str | bool | list[str]]


def answer(argv: Sequence[str]) -> str | None:
    """Give the text that a plain read prints; None where typer must see the command line. Raises MctlError."""
    if argv[:1] == ["__complete"] and len(argv) == 3:
        from cli import completion

        return completion.answer(*argv[1:])
    if not argv or argv[0] not in VERBS:
        return None
    switches, options, most = VERBS[argv[0]]
    parsed = _parse(argv[1:], switches, options)
    if parsed is None or len(parsed[0]) > most:
        return None
    names, values = parsed
    values.pop("as_it_is", None)
    return _read(argv[0], names, values)


def ssh(argv: Sequence[str]) -> tuple[str | None, Sequence[str]] | None:
    """Split `ssh [NAME] [ARGUMENT...]`; None where typer must see the command line."""
    if not argv or argv[0] != "ssh" or (argv[1:2] and argv[1].startswith("-")):
        return None
    return (argv[1] if argv[1:] else None), argv[2:]


def _read(verb: str, names: list[str], values: Values) -> str:
    from cli import reads

    if verb == "ip":
        return reads.ip(names, **values)  # type: ignore[arg-type]
    if verb == "ls" and values.pop("quiet", False):
        values.pop("template", None)
        return reads.ls_names(**values)  # type: ignore[arg-type]
    if verb == "ls":
        return reads.ls(**values)  # type: ignore[arg-type]
    if verb == "active":
        return reads.active(**values)  # type: ignore[arg-type]
    read: Callable[..., str] = getattr(reads, verb)
    return read(names[0] if names else None, **values)


def _parse(
    arguments: Sequence[str], switches: dict[str, str], options: dict[str, str]
) -> tuple[list[str], Values] | None:
    names: list[str] = []
    values: Values = {}
    left = iter(arguments)
    for argument in left:
        flag, equals, value = argument.partition("=")
        if argument in switches:
            values[switches[argument]] = True
        elif flag in options:
            given = value if equals else next(left, "")
            if not given or given.startswith("-"):
                return None
            field = options[flag]
            values[field] = [*values.get(field, ()), given] if field in REPEATABLE else given  # type: ignore[misc]
        elif argument.startswith("-") or not argument:
            return None
        else:
            names.append(argument)
    return names, values
