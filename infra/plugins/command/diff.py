"""Compare stack state with new inputs as the official plugin does, property by property.

Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/properties_diff.go
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from infra.plugins.protocol import provider_pb2
from infra.plugins.server import Diff, Operation
from infra.plugins.wire import ARCHIVE, ASSET, SIGNATURE, Properties, is_secret, plain

Kind = provider_pb2.PropertyDiff.Kind
ADD, DELETE, UPDATE = (
    provider_pb2.PropertyDiff.ADD,
    provider_pb2.PropertyDiff.DELETE,
    provider_pb2.PropertyDiff.UPDATE,
)
REPLACING = {
    ADD: provider_pb2.PropertyDiff.ADD_REPLACE,
    DELETE: provider_pb2.PropertyDiff.DELETE_REPLACE,
    UPDATE: provider_pb2.PropertyDiff.UPDATE_REPLACE,
}
SIMPLE_KEY = re.compile(r"[^.\[\]\"]+")


def diff_inputs(op: Operation, names: Collection[str], replacing: Collection[str]) -> Diff:
    """Tell which inputs changed. names: every input. replacing: paths whose change as a whole replaces the resource.

    A change inside `triggers` stays an update here: the program's SDK asks for the replacement (replaceOnChanges).
    """
    olds = {name: op.olds[name] for name in names if name in op.olds}
    news = op.news | {name: op.olds.get(name) for name in op.ignore_changes}
    found: dict[str, Any] = {}
    _objects("", olds, news, found)
    detailed = {path: REPLACING[kind] if path in replacing else kind for path, kind in found.items()}
    return Diff(
        diffs=_tops(list(detailed)),
        replaces=_tops([path for path in detailed if path in replacing]),
        changes=bool(detailed),
        detailed=detailed,
    )


def same(old: Any, new: Any) -> bool:
    """Tell whether two values mean the same: secret marks don't count, and assets are what their hash says."""
    return bool(_comparable(plain(old)) == _comparable(plain(new)))


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        if value.get(SIGNATURE) in (ASSET, ARCHIVE) and value.get("hash"):
            return value[SIGNATURE], value["hash"]
        return {key: _comparable(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_comparable(item) for item in value]
    return value


def _objects(path: str, old: Properties, new: Properties, found: dict[str, Any]) -> None:
    for key in sorted({*old, *new}):
        inner = _join(path, key)
        before, after = old.get(key), new.get(key)
        if before is None and after is None:
            continue
        if before is None or after is None:
            found[inner] = ADD if before is None else DELETE
        else:
            _values(inner, before, after, found)


def _values(path: str, old: Any, new: Any, found: dict[str, Any]) -> None:
    if isinstance(old, list) and isinstance(new, list):
        for index in range(max(len(old), len(new))):
            inner = f"{path}[{index}]"
            if index >= len(old) or index >= len(new):
                found[inner] = ADD if index >= len(old) else DELETE
            else:
                _values(inner, old[index], new[index], found)
    elif _is_object(old) and _is_object(new):
        _objects(path, old, new, found)
    elif not same(old, new):
        found[path] = UPDATE


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_secret(value) and SIGNATURE not in value


def _join(path: str, key: str) -> str:
    if not SIMPLE_KEY.fullmatch(key):
        escaped = key.replace('"', '\\"')
        return f'{path}["{escaped}"]'
    return f"{path}.{key}" if path else key


def _tops(paths: list[str]) -> tuple[str, ...]:
    return tuple(sorted({re.split(r"[.\[]", path, maxsplit=1)[0] for path in paths}))
