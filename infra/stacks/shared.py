"""The declarations of mctl's home where its backend is shared: no Git carries them, so the backend's history does.

The engine keeps the config of each update. A run on another computer starts from it, so that what one person added is
never taken for something that another one removed.
Source: https://www.pulumi.com/docs/iac/cli/commands/pulumi_config_refresh/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.errors import StackError
from infra.stacks import project
from infra.stacks.home import home
from infra.stacks.yaml_files import write

Config = dict[str, Any]


def is_shared(folder: Path) -> bool:
    """Tell whether a project folder is mctl's home, and its backend was set."""
    return folder == Path(home()) and project.backend(folder) not in ("", Path(home("state")).as_uri())


def published(pulumi: Callable[..., str], folder: Path, stack: str) -> str:
    """Give the text of a stack's file as its last update had it; empty where there was none.

    pulumi: runs one command of the engine on the stack, and raises what it says.
    """
    file = folder / f".{stack}.{os.getpid()}.yaml"
    try:
        pulumi("config", "refresh", "--config-file", str(file))
        return file.read_text()
    except Exception as error:  # the SDK's CommandError, which only the store imports
        if "no previous deployment" in str(error):
            return ""
        raise
    finally:
        file.unlink(missing_ok=True)


def catch_up(folder: Path, stack: str, fetch: Callable[[], str]) -> None:
    """Take over what another computer's update left in the declaration; what was changed here since stays changed.

    fetch: gives what `published` gives. Raises StackError where both changed the same.
    """
    if not is_shared(folder):
        return
    text = fetch()
    if not text:
        return
    theirs, ours, noted = project.settings_in(text), project.settings(folder, stack), _noted(stack)
    if not project.stack_exists(folder, stack):
        project.write_text(folder, stack, text)
    elif theirs not in (ours, noted):
        project.take_over(folder, stack, text, _merged(noted, ours, theirs, stack))
    _write(stack, theirs)


def require_current(folder: Path, stack: str, fetch: Callable[[], str]) -> None:
    """Raise StackError where another computer's update ended since `catch_up`, and would be undone."""
    if is_shared(folder) and project.settings_in(fetch()) not in ({}, _noted(stack), project.settings(folder, stack)):
        raise StackError(f"stack {stack} was changed on another computer just now", mend="run the same command again")


def note(folder: Path, stack: str) -> None:
    """Remember that a stack's file is what its last update had."""
    if is_shared(folder):
        _write(stack, project.settings(folder, stack))


def forget(folder: Path, stack: str) -> None:
    """Drop the file of a stack that another computer removed, unless it was changed since the two agreed."""
    if is_shared(folder) and _noted(stack) == project.settings(folder, stack):
        project.discard(folder, stack)
        _file(stack).unlink(missing_ok=True)


def _merged(noted: Config, ours: Config, theirs: Config, stack: str) -> Config:
    """Add to their config what was changed here since both were the same: machine by machine, key by key."""
    before, here, there = map(_flat, (noted, ours, theirs))
    merged = dict(there)
    for key in {*before, *here}:
        if here.get(key) == before.get(key) or here.get(key) == there.get(key):
            continue
        if there.get(key) != before.get(key):
            raise StackError(
                f"{key[-1]} of stack {stack} was changed on another computer, and here too",
                mend=f"rm {home()}/Pulumi.{stack}.yaml; mctl attach; then make your change again",
            )
        merged[key] = here.get(key)
    found: Config = {}
    for key, value in merged.items():
        if value is not None:
            target = found if len(key) == 1 else found.setdefault(key[0], {})
            target[key[-1]] = value
    return found


def _flat(config: Config) -> dict[tuple[str, ...], Any]:
    machines = config.get(project.KEY) or {}
    others = {(key,): value for key, value in config.items() if key != project.KEY}
    return others | {(project.KEY, name): entry for name, entry in machines.items()}


def _noted(stack: str) -> Config:
    config: Config = json.loads(_file(stack).read_text()) if _file(stack).exists() else {}
    return config


def _write(stack: str, config: Config) -> None:
    write(_file(stack), json.dumps(config))


def _file(stack: str) -> Path:
    return Path(home("published"), f"{stack}.json")
