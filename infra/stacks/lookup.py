"""Find a machine's record, also where this computer has none yet: a teammate's machine is one command away."""

from __future__ import annotations

import os

from infra.errors import MctlError, NotFoundError
from infra.stacks import records
from infra.stacks.home import around, home
from infra.stacks.records import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def find(name: str | None) -> records.Record:
    """Load a machine's record, and rebuild it from stack outputs where it is old, or missing but declared.

    No name means the machine `default`. Raises NotFoundError, RecordError, and what the Pulumi engine raises when it is
    asked for a missing one. An old one serves where it can't be asked.
    """
    name = name or default()
    try:
        record = records.load(name)
    except NotFoundError:
        if not _is_declared(name):
            raise
        return _rebuilt(name)
    if not record.is_old:
        return record
    try:
        return _rebuilt(name)
    except NotFoundError:
        raise
    except MctlError:
        return record


def default() -> str:
    """Give the name of the machine that a command without a name means. Raises NotFoundError."""
    if not records.exists(DEFAULT) and not _is_declared(DEFAULT):
        raise NotFoundError(
            f'No machine name(s) specified and no "{DEFAULT}" machine exists', mend=f"mctl ls, or mctl create {DEFAULT}"
        )
    return DEFAULT


def _rebuilt(name: str) -> records.Record:
    from infra.stacks import machines

    return machines.rebuild(name)


def stacks() -> list[str]:
    """List cheaply the stacks of every project in reach."""
    return sorted({os.path.basename(file)[len("Pulumi.") : -len(".yaml")] for file in _declarations()})


def _is_declared(name: str) -> bool:
    """Tell cheaply whether any declaration in reach mentions the name, or its group; who rebuilds looks properly."""
    group, _, number = name.rpartition("-")
    for file in _declarations():
        with open(file, encoding="utf-8", errors="replace") as stream:
            text = stream.read()
            if name in text or (number.isdecimal() and f"{group}:" in text):
                return True
    return False


def _declarations() -> Iterator[str]:
    """Give the file of each stack of the projects in mctl's home, and from the current folder upward."""
    for folder in (home(), *around()):
        files = os.listdir(folder) if os.path.isfile(os.path.join(folder, "Pulumi.yaml")) else []
        for file in files:
            if file.startswith("Pulumi.") and file.endswith(".yaml") and file != "Pulumi.yaml":
                yield os.path.join(folder, file)
