"""The user's own ssh, pointed at a machine, with its pinned host key."""

from __future__ import annotations

import os

from infra.errors import HostError, MctlError
from infra.stacks import lookup
from infra.stacks.ssh import ssh_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from infra.stacks.records import Record


def running(name: str | None) -> Record:
    """Load the record of a machine that is switched on. Raises NotFoundError or HostError."""
    record = lookup.find(name)
    if not record.running:
        raise HostError(
            f'machine "{record.name}" is not running', machine=record.name, mend=f"mctl start {record.name}"
        )
    return record


def connect(name: str | None, arguments: Sequence[str]) -> int:
    """Become ssh: it gets the arguments as they are, and its exit code is ours.

    Raises NotFoundError, HostError for a machine that is switched off, MctlError where there is no ssh.
    """
    record = running(name)
    command = [*ssh_command(record), *arguments]
    try:
        if os.name == "nt":  # there, exec would give the prompt back before ssh is done
            import subprocess

            return subprocess.call(command)
        os.execvp(command[0], command)  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        raise MctlError("there is no ssh program on PATH", machine=record.name, mend="install openssh-client") from None
