"""The name `docker-machine` for this program, where a shell finds it."""

from __future__ import annotations

import os
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from infra.errors import MctlError

WINDOWS = os.name == "nt"
FILE = "docker-machine.exe" if WINDOWS else "docker-machine"
OURS = ("mctl", "mctl.exe")


def install(folder: Path | None, *, force: bool) -> Path:
    """Write the name into a folder, by default one on PATH: mctl's own, else ~/.local/bin. Raises MctlError.

    A link to mctl, also to one that is no more, is ours to replace; anything else only with force.
    """
    program = _program()
    place = (folder or _folder(program)).expanduser().absolute() / FILE
    if os.path.lexists(place) and not force and not _is_ours(place):
        raise MctlError(
            f"{place} is there already, and is not mctl's",
            mend="choose another folder with --dir, or replace it with --force",
        )
    fresh = place.with_name(f".{FILE}~{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        if WINDOWS:  # there, links are for administrators; the launcher looks at its own name as well
            shutil.copyfile(program, fresh)
        else:
            fresh.symlink_to(program)
        fresh.replace(place)
    except OSError as error:
        with suppress(OSError):
            fresh.unlink()
        raise MctlError(
            f"{place} can't be written: {error.strerror}", mend="choose another folder with --dir"
        ) from None
    return place


def remove(folder: Path | None) -> Path | None:
    """Remove the name again; None where it is not there. Raises MctlError for a file that is not ours."""
    place = (folder or _folder(_program())).expanduser().absolute() / FILE
    if not os.path.lexists(place):
        return None
    if not _is_ours(place):
        raise MctlError(f"{place} is not mctl's, and stays", mend=f"remove it yourself: rm {place}")
    place.unlink()
    return place


def hidden_by(place: Path) -> str:
    """Say why a shell would not find what was written; nothing where it does."""
    found = shutil.which("docker-machine")
    if found is None:
        return f"{place.parent} is not on PATH"
    return "" if Path(found).absolute() == place.absolute() else f"{found} comes before it on PATH"


def _program() -> Path:
    named = Path(sys.argv[0]).absolute()
    if named.name in OURS and named.exists():
        return named
    if named.is_symlink() and _is_ours(named):
        return named.parent / named.readlink()
    found = shutil.which("mctl")
    if found is None:
        raise MctlError("the program mctl is not on PATH", mend="put the folder that it is in on PATH")
    return Path(found).absolute()


def _folder(program: Path) -> Path:
    on_path = [Path(folder).absolute() for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    if program.parent in on_path and os.access(program.parent, os.W_OK):
        return program.parent
    return Path.home() / ".local" / "bin"


def _is_ours(place: Path) -> bool:
    if place.is_symlink():
        return place.readlink().name in OURS
    return WINDOWS and place.is_file() and place.read_bytes() == _program().read_bytes()
