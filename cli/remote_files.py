"""Files on machines: what `[[USER@]MACHINE:]PATH` means, and the user's own programs that copy and mount them."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from infra.errors import MctlError
from infra.stacks.records import Record
from infra.stacks.ssh import host_block, require

LOCALHOST = "localhost"
# A colon after a slash is part of a path, as with scp(1).
REMOTE = re.compile(r"(?:(?P<user>[^@/:]+)@)?(?P<machine>[^@/:]+):(?P<path>.*)", re.DOTALL)
DRIVE = re.compile(r"[A-Za-z]:[\\/]")


class Place(NamedTuple):
    """A path, here or on a machine. machine: empty for this computer."""

    user: str
    machine: str
    path: str

    @property
    def argument(self) -> str:
        """The same for a program whose ssh_config has the machines' names."""
        if self.machine:
            return f"{self.user}@{self.machine}:{self.path}" if self.user else f"{self.machine}:{self.path}"
        # What has a colon, or begins like an option, is no longer mistaken for something else.
        return self.path if os.path.isabs(self.path) else os.path.join(".", self.path)


def place(text: str) -> Place:
    """Read `[[USER@]MACHINE:]PATH`; `localhost:` is this computer, and so on Windows is a drive such as `C:\\`."""
    found = None if os.name == "nt" and DRIVE.match(text) else REMOTE.fullmatch(text)
    if not found:
        return Place("", "", text)
    if found["machine"] == LOCALHOST:
        return Place("", "", found["path"])
    return Place(found["user"] or "", found["machine"], found["path"])


def program(feature: str, *names: str) -> str:
    """Find the first of these programs on PATH. Raises MctlError in docker-machine's words."""
    for name in names:
        found = shutil.which(name)
        if found:
            return found
    raise MctlError(
        f"You must have a copy of the {names[0]} binary locally to use the {feature}", mend=f"install {names[0]}"
    )


@contextmanager
def ssh_config(machines: Iterable[Record]) -> Iterator[str]:
    """Give a file for `ssh -F` that knows the machines, and after them all that the user's own ssh_config says."""
    known = list(machines)
    for record in known:
        require(record)
    with tempfile.TemporaryDirectory(prefix="mctl-") as folder:
        file = Path(folder, "ssh_config")
        file.write_text("".join(map(host_block, known)) + "Match all\n  Include ~/.ssh/config\n")
        yield str(file)
