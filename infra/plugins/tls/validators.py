"""What an input may be, in the words of the official plugin.

A validator takes the input's path in messages and its value, and gives the complaints: (path suffix, text).
Source: https://github.com/hashicorp/terraform-plugin-framework-validators
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from infra.plugins.wire import has_unknown

Complaints = Iterator[tuple[str, str]]
Validator = Callable[[str, Any], Complaints]


def one_of(*allowed: str) -> Validator:
    """Take one of these texts."""
    choices = " ".join(json.dumps(choice) for choice in allowed)

    def check(path: str, value: Any) -> Complaints:
        if value not in allowed:
            got = json.dumps(value, ensure_ascii=False)
            yield "", f"Invalid Attribute Value Match. Attribute {path} value must be one of: [{choices}], got: {got}"

    return check


def at_least(least: int) -> Validator:
    """Take a number not under this one."""

    def check(path: str, value: Any) -> Complaints:
        if value < least:
            yield "", f"Invalid Attribute Value. Attribute {path} value must be at least {least}, got: {value}"

    return check


def not_empty(path: str, value: Any) -> Complaints:
    """Take a text that isn't empty."""
    if not value:
        yield "", f"Invalid Attribute Value Length. Attribute {path} string length must be at least 1, got: 0"


def each(validator: Validator) -> Validator:
    """Hold every item of a list against a validator."""

    def check(path: str, value: Sequence[Any]) -> Complaints:
        for index, item in enumerate(value):
            if not has_unknown(item):
                for suffix, text in validator(f"{path}[{index}]", item):
                    yield f"[{index}]{suffix}", text

    return check


def anything(_path: str, _value: Any) -> Complaints:
    """Take everything."""
    return iter(())
