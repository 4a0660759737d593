"""The script that mounts folders of the computer that a VM is on, as root."""

from __future__ import annotations

from collections.abc import Iterable

from infra.components.engine_scripts import as_root, parts, variables


def mount_shares(machine: str, kind: str, names: Iterable[str], user: str, mend: str) -> str:
    """Write the script. kind: `vboxsf` or `hgfs`. names: of shares. user: whose their files are. mend: advice."""
    return as_root(mount_shares_as_root(machine, kind, names, user, mend))


def mount_shares_as_root(machine: str, kind: str, names: Iterable[str], user: str, mend: str) -> str:
    """Write the part that runs as root."""
    given = variables(machine=machine, type=kind, names=" ".join(names), user=user, mend=mend)
    return given + parts("prelude", "shares")
