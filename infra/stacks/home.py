"""Where mctl keeps what it must remember: `$MCTL_HOME`, else `~/.mctl`. Imports next to nothing, for the reads."""

from __future__ import annotations

import os

# Whether a project of the current folder counts, and not the home alone: docker-machine knew of none.
looks_around = True


def home(*parts: str) -> str:
    """Give the path of mctl's home, or of a folder in it, made private (0700) where it is not there yet."""
    folder = os.environ.get("MCTL_HOME") or os.path.join(os.path.expanduser("~"), ".mctl")
    folder = os.path.abspath(folder)
    _private(folder)
    for part in parts:
        folder = os.path.join(folder, part)
        _private(folder)
    return folder


def around() -> list[str]:
    """Give the folders where a project may be: the current one, and those above it."""
    folders = [os.getcwd()] if looks_around else []
    while folders and folders[-1] != os.path.dirname(folders[-1]):
        folders.append(os.path.dirname(folders[-1]))
    return folders


def _private(folder: str) -> None:
    if not os.path.isdir(folder):
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        os.makedirs(folder, mode=0o700, exist_ok=True)
