"""The script that runs one of the user's own on the host, as root."""

from __future__ import annotations

from infra.components.engine_scripts import as_root, parts, variables


def provision(name: str, machine: str) -> str:
    """Write the script; its standard input is the user's. name: what the user calls it."""
    return as_root(provision_as_root(name, machine))


def provision_as_root(name: str, machine: str) -> str:
    """Write the part that runs as root."""
    return variables(name=name, machine=machine) + parts("prelude", "provision")
