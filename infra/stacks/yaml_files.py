"""The YAML files of a project: one editor at a time, one rename per edit; comments and order survive."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.errors import MctlError, UsageError
from infra.stacks.home import home

if TYPE_CHECKING:
    from ruamel.yaml import YAML


@contextmanager
def one_editor(file: Path) -> Iterator[None]:
    """Keep other editors of a file waiting."""
    from filelock import FileLock

    name = sha256(str(file.resolve()).encode()).hexdigest()[:16]
    with FileLock(Path(home("locks"), f"{name}.lock")):
        yield


def read(file: Path) -> Any:
    """Read a file; an empty mapping where there is none. Raises UsageError for what can't be read."""
    if not file.exists():
        return {}
    from ruamel.yaml.error import YAMLError

    try:
        return parse(file.read_text())
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else str(file)
        reason = (getattr(error, "problem", None) or str(error)).splitlines()[0]
        raise UsageError(f"{place} can't be read: {reason}", mend=f"mend it by hand, or restore it: {file}") from None


def read_plain(file: Path) -> dict[str, Any]:
    """Read a file as plain values, in a tenth of the time of `read`. Raises UsageError for what can't be read."""
    try:
        return _quickly(file.read_text())
    except (OSError, ValueError):
        return _plain(read(file))


def as_plain(text: str) -> dict[str, Any]:
    """Read a text as plain values."""
    try:
        return _quickly(text)
    except ValueError:
        return _plain(parse(text))


def _quickly(text: str) -> dict[str, Any]:
    """Read a text as plain values. Raises ValueError for what is to be read the slow way."""
    import yaml  # type: ignore[import-untyped]

    from infra.stacks.quick_yaml import Loader

    try:
        found = yaml.load(text, Loader)  # noqa: S506 - it makes nothing but plain values
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    if not isinstance(found or {}, dict):
        raise ValueError("it is no mapping")
    return found or {}


def _plain(settings: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(json.dumps(settings, default=str))
    return plain


def nearest(file: Path, paths: Sequence[Sequence[str]]) -> str:
    """Give the line, as `FILE:LINE`, of the path of keys of which most is there; the file alone where nothing is."""
    depth, line = 0, 0
    for path in paths:
        settings = read(file)
        for number, key in enumerate(path, 1):
            try:
                at, settings = settings.lc.key(key)[0] + 1, settings[key]
            except (AttributeError, KeyError, TypeError):
                break
            depth, line = (number, at) if number > depth else (depth, line)
    return f"{file}:{line}" if line else str(file)


def parse(text: str) -> Any:
    """Read a text; an empty mapping where it says nothing."""
    return _yaml().load(text) or {}


def write_settings(file: Path, settings: Any) -> None:
    """Write settings, with the comments that they were read with."""
    write(file, as_yaml(settings))


def as_yaml(settings: Any) -> str:
    """Give settings as text."""
    text = io.StringIO()
    _yaml().dump(settings, text)
    return text.getvalue()


def write(file: Path, text: str) -> None:
    """Write a file by one rename. Raises MctlError."""
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise MctlError(
            f"{file} can't be written: {error.strerror}", mend=f"make room or rights in {file.parent}"
        ) from None


def _yaml() -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 1 << 16  # a key or a salt stays on its line
    return yaml
