"""The script that gets Docker Engine onto the host.

Source: https://docs.docker.com/engine/install/
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from infra.components.engine_scripts import as_root, parts, variables
from infra.machine import EngineSpec

PROXIES = ("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy")


def install(spec: EngineSpec, machine: str) -> str:
    """Write the script that installs the engine as the spec says, and does nothing where it is there.

    Its standard input is made by `proxies`.
    """
    return as_root(install_as_root(spec, machine))


def install_as_root(spec: EngineSpec, machine: str) -> str:
    """Write the part that runs as root."""
    return (
        variables(machine=machine, install=spec.install, version=spec.version)
        + parts("prelude", "apt", "dnf", "others", "install")
        + "main\n"
    )


def proxies(env: Sequence[str]) -> str:
    """Write the script's standard input: the daemon's proxies, which the package manager and curl are to use too.

    Some programs read the names in capitals and some don't. It may hold a password: keep it secret.
    """
    given = dict(pair.split("=", 1) for pair in env if pair.partition("=")[0].lower() in PROXIES)
    both = {spelled: value for key, value in given.items() for spelled in (key.lower(), key.upper())} | given
    return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in both.items())
