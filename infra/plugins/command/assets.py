"""Files that a local command leaves behind, found by glob, as assets and as one archive.

Source: https://github.com/gobwas/glob for the pattern language
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from infra.plugins.wire import ARCHIVE, ASSET, SIGNATURE, Properties

PIECE = re.compile(r"\*\*|\*|\?|\[!?[^\]]+\]|[{},]|\\.|.", re.DOTALL)


def assets_of(folder: Path, globs: list[str]) -> Properties:
    """Give an asset per matching file, by its path below the folder. A glob with `!` takes files out again."""
    rules = [(glob.startswith("!"), compile_glob(glob.removeprefix("!"))) for glob in globs]
    found: Properties = {}
    for path in _files_below(folder):
        for excludes, pattern in rules:
            if not pattern.fullmatch(path):
                continue
            if excludes:
                found.pop(path, None)
            else:
                found[path] = _asset(folder / path)
    return found


def archive_of(folder: Path, globs: list[str]) -> Properties:
    """Give one archive of the matching files. The engine works out its hash."""
    return {SIGNATURE: ARCHIVE, "assets": assets_of(folder, globs)}


def compile_glob(glob: str) -> re.Pattern[str]:
    """Turn a glob into a regular expression: `*` stops at `/`, `**` doesn't, `{a,b}` is either."""
    depth = 0
    parts = []
    for piece in PIECE.findall(glob):
        depth += {"{": 1, "}": -1}.get(piece, 0)
        parts.append(_pattern(piece, in_choice=depth > 0))
    return re.compile("".join(parts))


def _pattern(piece: str, *, in_choice: bool) -> str:
    simple = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}
    if piece in simple:
        return simple[piece]
    if piece == "," and in_choice:
        return "|"
    if piece.startswith("[") and len(piece) > 1:
        return piece.replace("[!", "[^", 1)
    return re.escape(piece[-1])


def _files_below(folder: Path) -> list[str]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders.sort()
        found += [(Path(parent) / name).relative_to(folder).as_posix() for name in files]
    return found


def _asset(path: Path) -> Properties:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {SIGNATURE: ASSET, "hash": digest, "path": path.as_posix()}
