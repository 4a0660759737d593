"""YAML 1.2's core schema read by libyaml, which keeps no comments: twenty times as quick as what keeps them.

What the slow way reads otherwise, or refuses with a line, is refused here: merges, keys that stand twice, dates, and
numbers in another form than JSON's. Source: https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

import yaml  # type: ignore[import-untyped]

STANDARD, SLOW = "tag:yaml.org,2002:", "!slow"
NUMBER = r"(?:0|[1-9][0-9]*)"
RESOLVERS = (
    (f"{STANDARD}null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (f"{STANDARD}bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    (f"{STANDARD}int", rf"-?{NUMBER}", [*"-0123456789"]),
    (f"{STANDARD}float", rf"-?{NUMBER}\.[0-9]+", [*"-0123456789"]),
    # Of what remains, this may be a date or a number.
    (
        SLOW,
        r"<<|=|[-+]?[0-9_]*\.?[0-9_]*([eE][-+]?[0-9]+)?|[-+]?0[box].*|[-+]?\.[iInN].*|[0-9]{4}-.*",
        [*"<=-+.0123456789"],
    ),
)


class Loader(yaml.CSafeLoader):  # type: ignore[misc]
    """Raise yaml.YAMLError for what is to be read the slow way."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - yaml's own
        """Refuse keys that stand twice."""
        found: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key stands twice", node.start_mark)
        return found


def _slow(_loader: Any, node: Any) -> None:
    raise yaml.constructor.ConstructorError(None, None, "a merge, a date or a rare form of number", node.start_mark)


for tag, pattern, first in RESOLVERS:
    Loader.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})$"), first)
Loader.add_constructor(SLOW, _slow)
