"""The functions of a `--format` template: docker-machine's json and prettyjson, the docker CLI's, and some of Go's own.

Source: https://pkg.go.dev/text/template#hdr-Functions, https://docs.docker.com/engine/cli/formatting/
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

VERB = re.compile(r"%([-+ 0#]*\d*(?:\.\d+)?)([a-zA-Z%])")


def as_text(value: Any) -> str:
    """Write a value as Go prints it."""
    return "<no value>" if value is None else _within(value)


def _within(value: Any) -> str:
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_within(value[key])}" for key in sorted(value)) + "]"
    if isinstance(value, list):
        return "[" + " ".join(map(_within, value)) + "]"
    if value is None or isinstance(value, bool):
        return "<nil>" if value is None else str(value).lower()
    return str(value)


def _index(value: Any, *keys: Any) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else value[key]
    return value


def _printf(form: str, *values: Any) -> str:
    left = iter(values)

    def written(match: re.Match[str]) -> str:
        flags, verb = match.groups()
        if verb == "%":
            return "%"
        try:
            value = next(left)
        except StopIteration:
            return f"%!{verb}(MISSING)"
        if verb == "q":
            value = json.dumps(value, ensure_ascii=False)
        return f"%{flags}s" % as_text(value) if verb in "qstv" else f"%{flags}{verb}" % value

    return VERB.sub(written, form)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "and": lambda *values: next((value for value in values if not value), values[-1]),
    "eq": lambda value, *others: value in others,
    "index": _index,
    "join": lambda values, separator: separator.join(map(as_text, values)),
    "json": lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    "len": len,
    "lower": str.lower,
    "ne": lambda value, other: value != other,
    "not": lambda value: not value,
    "or": lambda *values: next((value for value in values if value), values[-1]),
    "prettyjson": lambda value: json.dumps(value, ensure_ascii=False, sort_keys=True, indent=4),
    "printf": _printf,
    "split": lambda text, separator: text.split(separator),
    "title": lambda text: re.sub(r"\b\w", lambda first: first[0].upper(), text),
    "upper": str.upper,
}
