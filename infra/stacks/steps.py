"""What the events of a preview say of each resource: what an `up` would do with it, why, and which values differ.

Secrets are masked by the engine already: it was not asked to show any.
Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/apitype/events.go
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import ndiff
from typing import Any

OPS = ("create", "update", "replace", "delete")
# How the engine writes a secret, and what is known only once something is made.
# Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "[secret]"  # noqa: S105 - it is what stands in its place
UNKNOWN = re.compile(r"04da6b54-80e4-46f7-96ec-b56ff0[0-9a-f]{6}")
NOT_YET = "(not known yet)"
LONGEST = 160  # characters of one value in a sentence
END_OF_TEXT = re.compile(r"MCTL_END_[0-9a-f]{16}")  # in our scripts; it differs with the text that it ends


@dataclass(frozen=True)
class Difference:
    """One property that differs. lines: of the value as text, those that go (`- …`) and those that come (`+ …`)."""

    property: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Change:
    """One resource that an `up` would touch. op: create, update, replace, delete. why: the properties that differ.

    replaces: those of them that can't be changed in place. before: the outputs until now.
    """

    resource: str
    kind: str
    op: str
    why: tuple[str, ...]
    replaces: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    before: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Give the properties that make it necessary."""
        return self.replaces or self.why


@dataclass(frozen=True)
class Drift:
    """One thing in the world that is otherwise than when it was made. what: `gone`, or what differs, in words.

    mend: the command that mends it where an `up` does not.
    """

    resource: str
    kind: str
    what: str
    mend: str = ""


def change(step: Any) -> Change | None:
    """Read one step that the engine plans (`StepEventMetadata`); None where it leaves the resource as it is."""
    op = _op(step)
    if op not in OPS:
        return None
    why, replaces = (tuple(sorted(names or ())) for names in (step.diffs, step.keys))  # the engine keeps no order
    differing = tuple(_differences(step, why)) if op in ("update", "replace") else ()
    before = _part(step.old, "outputs")
    return Change(step.urn.rpartition("::")[2], step.type, op, why, replaces, differing, before)


def drift(step: Any) -> Drift | None:
    """Read one step that has looked at a resource; None where that is as it was made."""
    if _op(step) != "refresh" or not step.old:
        return None
    resource = step.urn.rpartition("::")[2]
    if not step.new:
        return Drift(resource, step.type, "gone")
    before, after = (state.outputs or {} for state in (step.old, step.new))
    said = list(_otherwise("", before, after))
    return Drift(resource, step.type, "; ".join(said)) if said else None


def _otherwise(path: str, before: Any, after: Any) -> Iterator[str]:
    """Say what is otherwise; of mappings and lists only those parts that are."""
    if before == after:
        return
    if all(isinstance(value, Mapping) and SIGNATURE not in value for value in (before, after)):
        for key in sorted(key for key in {*before, *after} if key[:2] != "__"):
            yield from _otherwise(f"{path}.{key}" if path else key, before.get(key), after.get(key))
        return
    olds, news = (value if isinstance(value, list) else [] for value in (before, after))
    parts = [f"-{_short(item)}" for item in olds if item not in news]
    parts += [f"+{_short(item)}" for item in news if item not in olds]
    are_lists = all(value is None or isinstance(value, list) for value in (before, after))
    yield f"{path}: " + (", ".join(parts) if parts and are_lists else f"{_short(before)} -> {_short(after)}")


def _op(step: Any) -> str:
    return str(getattr(step.op, "value", step.op))


def _differences(step: Any, paths: Iterable[str]) -> Iterable[Difference]:
    """Compare what the engine found to differ: as inputs, where either state has such a one, else as outputs."""
    for name in dict.fromkeys(re.split(r"[.\[]", path)[0] for path in paths):
        states = [step.old, step.new]
        part = "inputs" if any(name in _part(state, "inputs") for state in states) else "outputs"
        before, after = (_text(_part(state, part).get(name)).splitlines() for state in states)
        lines = tuple(line for line in ndiff(before, after) if line[0] in "-+" and not END_OF_TEXT.search(line))
        yield Difference(name, lines or tuple(f"~ {line}" for line in after))


def _part(state: Any, part: str) -> Mapping[str, Any]:
    return getattr(state, part, None) or {}


def _short(value: Any) -> str:
    text = "nothing" if value in (None, "") else " ".join(_text(value, indent=None).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _text(value: Any, indent: int | None = 2) -> str:
    if value is None:
        return ""
    value = _masked(value)
    text = value if isinstance(value, str) else json.dumps(value, indent=indent, ensure_ascii=False)
    return UNKNOWN.sub(NOT_YET, text)


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return SECRET if SIGNATURE in value else {key: _masked(item) for key, item in value.items()}
    return [_masked(item) for item in value] if isinstance(value, list) else value
