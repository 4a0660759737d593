"""Which tls and command plugins the Pulumi engine will find: the official ones, else ours.

Ours stand in the folder where the engine looks for the exact version that the SDK asks for, so `pulumi up` by hand
finds them too. They give way to the official ones as soon as those can be had.
Source: https://www.pulumi.com/docs/iac/concepts/plugins/
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from filelock import FileLock

from infra.errors import PreCreateError
from infra.plugins import SHARED
from infra.stacks import downloads
from infra.stacks.home import home

NAMES = ("tls", "command")
MARK = "served by mctl"
DOWNLOAD_LIMIT = 180.0  # seconds
ATTACHED = "PULUMI_DEBUG_PROVIDERS"  # NAME:PORT,…: what the engine attaches itself to instead of starting its own
Line = Callable[[str], None]


@dataclass(frozen=True)
class PluginSource:
    """Where one plugin comes from. origin: `official`, `ours`, or empty where that is settled at first use."""

    name: str
    version: str
    origin: str
    path: Path | None


def ensure(pulumi: Path, pulumi_home: Path, report: Line, notice: Line) -> list[PluginSource]:
    """See to it that the engine finds each plugin, and say which it will be. notice: for what the user should know."""
    return [_ensure(name, pulumi, pulumi_home, report, notice) for name in NAMES]


def look(name: str, pulumi_home: Path) -> PluginSource:
    """Say which plugin the engine would find, changing nothing."""
    return _look(name, _version(name), pulumi_home)


@contextmanager
def shared() -> Iterator[None]:
    """Serve ours once, for all engines that are started meanwhile and only look: one's Cancel is not heard.

    Each plugin that an engine need not start spares it a tenth of a second of processor.
    """
    given = os.environ.get(ATTACHED, "")
    servers = {name: _begin(name) for name in NAMES if look(name, Path(home("pulumi"))).origin == "ours"}
    try:
        os.environ[ATTACHED] = ",".join(filter(None, [given, *(f"{n}:{_port(s)}" for n, s in servers.items())]))
        yield
    finally:
        os.environ[ATTACHED] = given
        for server in servers.values():
            server.terminate()
            server.communicate()


def _begin(name: str) -> subprocess.Popen[str]:
    """Start one that ends with this program at the latest, and hears no Ctrl-C of its terminal."""
    command = [sys.executable, "-P", "-m", f"infra.plugins.{name}", SHARED]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, start_new_session=True
    )


def _port(server: subprocess.Popen[str]) -> str:
    """Read its port, or nothing where it could not start: then each engine starts its own."""
    assert server.stdout is not None  # noqa: S101 - it was opened as a pipe
    return server.stdout.readline().strip()


def path_prefix() -> str:
    """Give the folder with `pulumi-resource-hypervisor` and our others, which the engine looks for on PATH."""
    beside = os.path.dirname(sys.executable)
    user = sysconfig.get_path("scripts", sysconfig.get_preferred_scheme("user"))
    for folder in (beside, sysconfig.get_path("scripts"), user):
        if shutil.which("pulumi-resource-hypervisor", path=folder):
            return folder
    return beside


def _ensure(name: str, pulumi: Path, pulumi_home: Path, report: Line, notice: Line) -> PluginSource:
    found = look(name, pulumi_home)
    settled = downloads.offline() or downloads.known_unreachable()
    if found.origin == "official" or (found.origin == "ours" and settled and _is_current(found)):
        return found
    pulumi_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with FileLock(pulumi_home / "mctl-plugins.lock"):
        found = _look(name, found.version, pulumi_home)
        if found.origin == "official":
            return found
        if not settled and downloads.reachable() and _download(found, pulumi, pulumi_home, report):
            return _look(name, found.version, pulumi_home)
        if found.origin != "ours":
            notice(f"The official {name} plugin can't be downloaded: using mctl's own")
        if not _is_current(found):
            _serve(found, pulumi_home)
        return _look(name, found.version, pulumi_home)


def _look(name: str, version: str, pulumi_home: Path) -> PluginSource:
    if path := shutil.which(f"pulumi-resource-{name}"):
        return PluginSource(name, version, "official", Path(path))
    path_there = _file(_folder(name, version, pulumi_home), name)
    if not path_there.is_file():
        return PluginSource(name, version, "", None)
    with path_there.open("rb") as file:
        ours = MARK.encode() in file.read(100)
    return PluginSource(name, version, "ours" if ours else "official", path_there)


def _version(name: str) -> str:
    """Read the plugin's version from the installed SDK, without importing it."""
    try:
        about = distribution(f"pulumi-{name}").locate_file(f"pulumi_{name}/pulumi-plugin.json")
        return str(json.loads(Path(str(about)).read_text())["version"])
    except (PackageNotFoundError, OSError, ValueError, KeyError):
        raise PreCreateError(
            f"the Python package pulumi-{name} is missing or broken", mend="install mctl again"
        ) from None


def _download(wanted: PluginSource, pulumi: Path, pulumi_home: Path, report: Line) -> bool:
    """Download the official plugin into a home of its own, then move it to its place as a whole."""
    report(f"Downloading the Pulumi {wanted.name} plugin {wanted.version}: once")
    with tempfile.TemporaryDirectory(dir=pulumi_home, prefix=".download-") as folder:
        env = {**os.environ, "PULUMI_HOME": folder, "PULUMI_SKIP_UPDATE_CHECK": "true"}
        command = [str(pulumi), "plugin", "install", "resource", wanted.name, f"v{wanted.version}"]
        try:
            subprocess.run(command, env=env, capture_output=True, timeout=DOWNLOAD_LIMIT, check=True)
            fresh = _folder(wanted.name, wanted.version, Path(folder))
            _swap(fresh, _folder(wanted.name, wanted.version, pulumi_home))
        except (OSError, subprocess.SubprocessError):
            downloads.remember_unreachable()
            return False
    return True


def _serve(wanted: PluginSource, pulumi_home: Path) -> None:
    """Put our plugin where the engine looks for the exact version."""
    (pulumi_home / "plugins").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=pulumi_home, prefix=".serve-") as folder:
        fresh = Path(folder, "plugin")
        fresh.mkdir()
        _file(fresh, wanted.name).write_text(_starter(wanted.name))
        _file(fresh, wanted.name).chmod(0o755)
        _swap(fresh, _folder(wanted.name, wanted.version, pulumi_home))


def _swap(fresh: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists():
        place.rename(fresh.with_name("old"))  # goes with the temporary folder
    fresh.rename(place)


def _is_current(found: PluginSource) -> bool:
    return found.path is not None and found.path.read_text() == _starter(found.name)


def _starter(name: str) -> str:
    """Write what starts our plugin. -P: the engine starts it in the program's folder, whose modules are not meant."""
    if os.name == "nt":
        return f'@rem {MARK}\r\n@"{sys.executable}" -P -m infra.plugins.{name} %*\r\n'
    return f'#!/bin/sh\n# {MARK}\nexec {shlex.quote(sys.executable)} -P -m infra.plugins.{name} "$@"\n'


def _folder(name: str, version: str, pulumi_home: Path) -> Path:
    return pulumi_home / "plugins" / f"resource-{name}-v{version}"


def _file(folder: Path, name: str) -> Path:
    plain = folder / f"pulumi-resource-{name}"
    if os.name != "nt":
        return plain
    official = plain.with_suffix(".exe")
    return official if official.exists() else plain.with_suffix(".cmd")
