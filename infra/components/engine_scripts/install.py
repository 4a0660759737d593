"""The script that gets Docker Engine onto the host.

Source: https://docs.docker.com/engine/install/
"""

from __future__ import annotations

from infra.components.engine_scripts import as_root, parts, variables
from infra.machine import EngineSpec


def install(spec: EngineSpec, machine: str) -> str:
    """Write the script that installs the engine as the spec says, and does nothing where it is there."""
    return as_root(install_as_root(spec, machine))


def install_as_root(spec: EngineSpec, machine: str) -> str:
    """Write the part that runs as root."""
    return (
        variables(machine=machine, install=spec.install, version=spec.version)
        + parts("prelude", "apt", "dnf", "others", "install")
        + "main\n"
    )
