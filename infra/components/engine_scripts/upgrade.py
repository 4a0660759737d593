"""The script that brings an engine to another version, and back where the new one does not come up.

It remembers the packages that are installed, and reinstalls them where the new daemon fails. There is no going back
with pacman and apk, whose repositories hold one version of each package, nor to a version that the package sources have
dropped: both are told in a notice.
"""

from __future__ import annotations

from infra.components.engine_scripts import as_root, parts, variables
from infra.components.engine_scripts.configure import PORT
from infra.components.engine_scripts.install import proxies
from infra.machine import EngineSpec


def upgrade(spec: EngineSpec, machine: str, port: int = PORT, *, look: bool = False) -> str:
    """Write the script that installs the newest engine that the spec allows; it prints `engine-version: X`.

    What was installed by a script of the user's own is upgraded from the package source that it set up. look: change
    nothing, and print `newer: no` where that is sure.
    """
    return as_root(upgrade_as_root(spec, machine, port, look=look))


def upgrade_as_root(spec: EngineSpec, machine: str, port: int = PORT, *, look: bool = False) -> str:
    """Write the part of the script that runs as root."""
    install, looking = "auto" if "://" in spec.install else spec.install, "yes" if look else ""
    settings = variables(machine=machine, install=install, version=spec.version, looking=looking)
    return (
        settings
        + variables(port=str(port), port_hex=f"{port:04X}")
        + proxies(spec.env)
        + parts("prelude", "apt", "dnf", "others", "live_restore", "configure", "install", "upgrade")
        + "main\n"
    )
