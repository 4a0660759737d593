"""mctl scp: copy files to, from and between machines."""

from __future__ import annotations

import shlex
import subprocess
from typing import Annotated

import typer

from cli import remote_files
from cli.remote_shell import running
from infra.errors import UsageError

WHAT = "[[USER@]MACHINE:]PATH"


def scp(
    places: Annotated[list[str] | None, typer.Argument(metavar="SRC DST", help=f"{WHAT} each.")] = None,
    *,
    recursive: Annotated[
        bool, typer.Option("--recursive", "-r", help="Copy folders with all that is in them.")
    ] = False,
    delta: Annotated[bool, typer.Option("--delta", "-d", help="Send only what differs, with rsync.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress.")] = False,
) -> None:
    """Copy files to and from machines. From machine to machine they pass through this computer.

    `localhost:` is this computer, and so is what has no colon before its first slash; on Windows, `C:\\` is a drive.

    Example: `mctl scp -r ./site web-1:/srv`
    """
    if len(places or ()) != 2:
        raise UsageError("Improper number of arguments", mend=f"mctl scp {WHAT} {WHAT}")
    ends = [remote_files.place(text) for text in places or ()]
    if delta and all(end.machine for end in ends):
        raise UsageError("--delta can't copy from machine to machine", mend="leave --delta off, or copy here first")
    program = remote_files.program("--delta option" if delta else "scp feature", "rsync" if delta else "scp")
    flags = ["-r"] * recursive + ["-q"] * quiet
    with remote_files.ssh_config({end.machine: running(end.machine) for end in ends if end.machine}.values()) as config:
        if delta:
            progress = [] if quiet else ["--progress"]
            command = [program, *progress, "-e", shlex.join(["ssh", "-F", config]), *flags]
        else:
            command = [program, "-3", "-F", config, *flags]
        code = subprocess.call([*command, "--", *(end.argument for end in ends)])
    raise typer.Exit(code)
