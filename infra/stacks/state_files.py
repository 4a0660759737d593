"""Where a stack's state is; and where that is on this computer, its files, which a full disk or a kill may cut off.

Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/store.go
"""

from __future__ import annotations

import glob
import itertools
import json
import os
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

from infra.errors import PreCreateError
from infra.stacks import project
from infra.stacks.home import home

VARIABLE = "PULUMI_BACKEND_URL"
FREE_BYTES = 16 * 1024 * 1024  # an update writes the whole state, a backup of it, and locks, many times


def backend(folder: Path) -> str:
    """Give the URL of where the stack state is: what the environment says, else the project, else mctl's home."""
    return os.environ.get(VARIABLE) or project.backend(folder) or Path(home("state")).as_uri()


def path(folder: Path, stack: str) -> str:
    """Give the file that holds the stack state; nothing where the backend keeps it elsewhere."""
    root = _root(folder)
    return str(root / "stacks" / project.PROJECT / f"{stack}.json") if root else ""


def require_space(folder: Path) -> None:
    """Raise PreCreateError where the state's disk is so full that an update would be cut off."""
    for place in (home(), _root(folder)):
        there = next((part for part in (Path(place), *Path(place).parents) if part.exists()), None) if place else None
        if there and shutil.disk_usage(there).free < FREE_BYTES:
            raise PreCreateError(
                f"{there} has less than {FREE_BYTES >> 20} MiB free, and the stack state is kept there",
                mend="free some space there, then run the same command again",
            )


def mend(folder: Path, stack: str) -> None:
    """Clear what an engine left half written, and take the newest whole backup where the state itself was cut off."""
    sweep(folder, stack)
    state = Path(path(folder, stack))
    if not state.name:
        return
    root = state.parents[2]
    own = state.parent.glob(f"{glob.escape(state.name)}*.attrs")
    for part in itertools.chain(own, _locks(state).iterdir() if _locks(state).exists() else (), root.glob("*.attrs")):
        if not _is_whole(part):  # locks of nobody, and notes on files that the engine does without
            part.unlink(missing_ok=True)
    store = root / "meta.yaml"  # the engine makes one where there is none
    if store.exists() and not store.read_bytes():
        store.unlink()
    if _is_whole(state):
        return
    older = sorted((state.parents[2] / "backups" / project.PROJECT / stack).glob("*.json"), reverse=True)
    backup = next(filter(_is_whole, [state.with_name(f"{state.name}.bak"), *older]), None)
    if backup:
        fresh = state.with_name(f".{state.name}.{os.getpid()}")
        shutil.copyfile(backup, fresh)
        fresh.replace(state)


def sweep(folder: Path, stack: str) -> None:
    """Delete half-written parts of the stack's file and locks."""
    state = Path(path(folder, stack))
    if not state.name:
        return
    ours = re.compile(re.escape(state.name) + r"(\.bak|\.attrs)*\.[0-9a-f]+\.tmp")
    beside = [part for part in state.parent.glob(f"{glob.escape(state.name)}.*") if ours.fullmatch(part.name)]
    for part in (*beside, *_locks(state).glob("*.tmp")):
        part.unlink(missing_ok=True)


def locks(folder: Path, stack: str) -> list[Path]:
    """List the files of the stack's locks."""
    state = Path(path(folder, stack))
    return list(_locks(state).glob("*.json")) if state.name else []


def _locks(state: Path) -> Path:
    return state.parents[2] / "locks" / "organization" / project.PROJECT / state.stem


def _root(folder: Path) -> Path | None:
    scheme, _, place = backend(folder).partition("://")
    return folder / os.path.expanduser(unquote(place)) / ".pulumi" if scheme == "file" else None


def _is_whole(file: Path) -> bool:
    try:
        return bool(json.loads(file.read_bytes()))
    except (OSError, ValueError):
        return False
