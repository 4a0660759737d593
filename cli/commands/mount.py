"""mctl mount: mount a machine's folder here."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Annotated

import typer

from cli import remote_files
from cli.remote_shell import running
from infra.errors import UsageError
from infra.stacks.ssh import keep_config

# What takes a mount of one's own away, root or not: https://github.com/libfuse/sshfs#how-to-use
UNMOUNT = {"fusermount3": ["-u"], "fusermount": ["-u"], "umount": []}


def mount(
    source: Annotated[str, typer.Argument(metavar="[[USER@]MACHINE:]PATH", help="Folder on a machine.")],
    mountpoint: Annotated[str, typer.Argument(metavar="MOUNTPOINT", help="Folder here [default: PATH]")] = "",
    *,
    unmount: Annotated[bool, typer.Option("--unmount", "-u", help="Unmount it.")] = False,
) -> None:
    """Mount a machine's folder here with sshfs.

    Without a machine it is the machine `default`. Unmount it by the same words and -u.

    Example: `mctl mount web-1:/srv ./srv`
    """
    there = remote_files.place(source)
    if ":" in source and not there.machine:
        raise UsageError(f"{source} is on this computer already")
    here = mountpoint or there.path
    if unmount:
        program = remote_files.program("mount feature", *UNMOUNT)
        raise typer.Exit(subprocess.call([program, *UNMOUNT[Path(program).stem], here]))
    program = remote_files.program("mount feature", "sshfs")
    record = running(there.machine or None)
    folder = there._replace(machine=record.name).argument
    # sshfs lives on and reads the file when it connects again, so it gets one that stays.
    raise typer.Exit(subprocess.call([program, "-F", keep_config(record), folder, here]))
