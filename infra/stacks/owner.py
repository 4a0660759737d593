"""Whose stack state it is: an id that tells our resources at a provider from those of another project or person."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from urllib.parse import unquote, urlsplit
from uuid import uuid4

from infra.stacks import state_files

FILE = "mctl-owner"  # beside a state that is a folder: its URL is the same on many computers
LENGTH = 16


def owner(folder: Path) -> str:
    """Give the id of the stack state of a project folder: the same for all who share it.

    A stack whose state was moved keeps the id that it had: `project.owner`.
    """
    url = state_files.backend(folder)
    place = urlsplit(url)
    if place.scheme != "file":
        return sha256(url.encode()).hexdigest()[:LENGTH]
    file = Path(unquote(place.path), FILE)
    if not file.exists():
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = file.with_name(f".{FILE}.{os.getpid()}")
        fresh.write_text(uuid4().hex[:LENGTH])
        with suppress(FileExistsError):
            os.link(fresh, file)  # of two that make one, the first wins
        fresh.unlink()
    return file.read_text()
