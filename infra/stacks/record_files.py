"""The files of a record, written and removed so that a reader sees all of a file or none of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil

PRIVATE = 0o600


def write(folder: str, files: Mapping[str, bytes | None]) -> None:
    """Make a folder of files by one rename; where it is there, replace the files that differ, in the order given.

    None is a file that must not be there. Every file is 0600, the folder 0700. Raises OSError, leaving what was there.
    """
    sweep(folder)
    if not os.path.isdir(folder):
        fresh = _aside(folder)
        os.mkdir(fresh, 0o700)
        try:
            _update(fresh, files)
            os.rename(fresh, folder)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            if not os.path.isdir(folder):
                raise
        else:
            return
    _update(folder, files)


def remove(folder: str, files: Sequence[str]) -> None:
    """Take a folder of those files out of sight by one rename, then delete it. One that is not there is fine.

    Where others keep files in it too, theirs stay, and the named ones go in order.
    """
    sweep(folder)
    if os.path.isdir(folder) and not set(os.listdir(folder)) <= set(files):
        for name in files:
            with suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, name))
        return
    aside = _aside(folder)
    try:
        os.rename(folder, aside)
    except FileNotFoundError:
        return
    shutil.rmtree(aside)


def sweep(folder: str) -> None:
    """Delete what killed runs left half written or half removed: folders beside this one, and files in it."""
    parent, name = os.path.split(folder)
    for entry in os.listdir(parent):
        if entry.startswith(f".{name}~") and _is_left_over(entry):
            shutil.rmtree(os.path.join(parent, entry), ignore_errors=True)
    for entry in os.listdir(folder) if os.path.isdir(folder) else ():
        if _is_left_over(entry):
            os.unlink(os.path.join(folder, entry))


def _is_left_over(entry: str) -> bool:
    _, tilde, pid = entry.rpartition("~")
    return bool(tilde) and pid.isdigit() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid)))


def _aside(folder: str) -> str:
    """Name a folder beside this one that can be no machine's."""
    parent, name = os.path.split(folder)
    return os.path.join(parent, f".{name}~{os.getpid()}")


def _update(folder: str, files: Mapping[str, bytes | None]) -> None:
    for name, content in files.items():
        file = os.path.join(folder, name)
        if content is None:
            if os.path.exists(file):
                os.unlink(file)
        elif _differs(file, content):
            replace(file, content)


def _differs(file: str, content: bytes) -> bool:
    try:
        with open(file, "rb") as stream:
            loose = os.name == "posix" and os.fstat(stream.fileno()).st_mode & 0o077
            return bool(loose) or stream.read() != content
    except FileNotFoundError:
        return True


def replace(file: str, content: bytes) -> None:
    """Write a private file (0600) beside its place, and rename it there. Raises OSError."""
    fresh = f"{file}~{os.getpid()}"
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(fresh, file)
    except OSError:
        os.unlink(fresh)
        raise
