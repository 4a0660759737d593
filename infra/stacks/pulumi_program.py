"""Where the `pulumi` program comes from.

In this order: one on PATH that is new enough; one that was installed or built here before; the official install; a
build with Go. Each is one class with one method.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from filelock import FileLock

from infra.errors import PreCreateError
from infra.stacks import downloads, go_build

MINIMUM = (3, 217)  # the first with error hooks; Pulumi.yaml says the same
FILE = "pulumi.exe" if os.name == "nt" else "pulumi"
MEND = "install Pulumi (https://www.pulumi.com/docs/install/), or Go {go} or newer (https://go.dev/dl/), and try again"
Line = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A `pulumi` that can be used. version: without the `v`. origin: `PATH`, `installed` or `built`."""

    path: Path
    version: str
    origin: str


class NotHereError(Exception):
    """Say why a source has no `pulumi`."""


class Source(Protocol):
    """One place that `pulumi` can come from."""

    name: str

    def find(self, report: Line) -> Program:
        """Give the program. Raises NotHereError."""


class OnPath:
    """Take the first `pulumi` on PATH that is new enough."""

    name = "PATH"

    def find(self, report: Line) -> Program:
        """Look through PATH."""
        refused = []
        for folder in os.environ.get("PATH", "").split(os.pathsep):
            if folder and (path := shutil.which("pulumi", path=folder)):
                try:
                    return Program(Path(path), _usable_version(Path(path)), "PATH")
                except NotHereError as error:
                    refused.append(str(error))
        raise NotHereError("; ".join(refused) or "no pulumi")


class Kept:
    """Take what an earlier run installed or built."""

    def __init__(self, origin: str) -> None:
        self.name = f"{origin} earlier"
        self._origin = origin

    def find(self, report: Line) -> Program:
        """Look into the cache folder."""
        path = _place(self._origin)
        if not path.is_file():
            raise NotHereError("none")
        return Program(path, _usable_version(path), self._origin)


class OfficialInstall:
    """Install Pulumi's release. install: runs the official installer with a root folder."""

    name = "official install"

    def __init__(self, install: Callable[[Path], object]) -> None:
        self._install = install

    def find(self, report: Line) -> Program:
        """Download and install, where the download site answers."""
        if downloads.offline():
            raise NotHereError("MCTL_OFFLINE is set")
        if not downloads.reachable():
            raise NotHereError("get.pulumi.com can't be reached")
        return _make_once("installed", report, lambda: self._make(report))

    def _make(self, report: Line) -> None:
        report("Installing the Pulumi engine: once")
        self._install(_place("installed").parents[1])


class GoBuild:
    """Build Pulumi from source through the Go module proxy."""

    name = "Go build"

    def find(self, report: Line) -> Program:
        """Build, where Go is there."""
        if downloads.offline():
            raise NotHereError("MCTL_OFFLINE is set")
        go = shutil.which("go")
        if not go:
            raise NotHereError("no go on PATH")
        return _make_once("built", report, lambda: go_build.build(go, _place("built"), report))


def find_pulumi(report: Line, install: Callable[[Path], object]) -> Program:
    """Give the `pulumi` to use, making one where there is none. Raises PreCreateError that lists what was tried."""
    return _first([*_at_hand(), OfficialInstall(install), GoBuild()], report)


def look() -> Program:
    """Give the `pulumi` that is at hand, without making one. Raises PreCreateError."""
    return _first(_at_hand(), lambda _line: None)


def _at_hand() -> list[Source]:
    return [OnPath(), Kept("installed"), Kept("built")]


def _first(sources: list[Source], report: Line) -> Program:
    tried = []
    for source in sources:
        try:
            return source.find(report)
        except NotHereError as error:
            tried.append(f"{source.name}: {error}")
    raise PreCreateError(
        f"the Pulumi engine can't be had ({'; '.join(tried)})", mend=MEND.format(go=go_build.go_needed())
    )


def _place(origin: str) -> Path:
    folder = f"pulumi-{go_build.VERSION}" if origin == "built" else "pulumi-official"
    return downloads.cache() / folder / "bin" / FILE


def _make_once(origin: str, report: Line, make: Callable[[], object]) -> Program:
    """Install or build, one run at a time: those that waited find what the first one made."""
    kept, folder = Kept(origin), downloads.cache()
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / f"pulumi-{origin}.lock"):
        with suppress(NotHereError):
            return kept.find(report)
        try:
            make()
        except Exception as error:  # installers fail in many ways, and the next source may do
            raise NotHereError(f"failed: {error}") from None
        return kept.find(report)


def _usable_version(path: Path) -> str:
    version = _version(path)
    try:
        major, minor = (int(part) for part in version.split(".")[:2])
    except ValueError:
        raise NotHereError(f"{path} has no release version ({version})") from None
    if major != MINIMUM[0] or minor < MINIMUM[1]:
        raise NotHereError(f"{path} is {version}, and {'.'.join(map(str, MINIMUM))} or newer of 3 is needed")
    return version


def _version(path: Path) -> str:
    """Ask the program for its version, once for each file: asking takes longer than all of our reads."""
    stat = path.stat()
    identity = [stat.st_mtime_ns, stat.st_size]
    note = downloads.cache() / "pulumi-version.json"
    known: dict[str, list[object]] = {}
    with suppress(OSError, ValueError):
        known = json.loads(note.read_text())
    entry = known.get(str(path), [])
    if entry[:2] == identity:
        return str(entry[2])
    version = _ask(path)
    fresh = note.with_name(f"{note.name}.{os.getpid()}")
    with suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps({**known, str(path): [*identity, version]}))
        fresh.replace(note)
    return version


def _ask(path: Path) -> str:
    env = {**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true", "PULUMI_HOME": str(downloads.cache() / "pulumi")}
    try:
        answer = subprocess.run([path, "version"], capture_output=True, text=True, env=env, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise NotHereError(f"{path} can't be run: {error}") from None
    return answer.stdout.strip().removeprefix("v")
