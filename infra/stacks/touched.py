"""Which stacks a change to a repository's files touches."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path

from infra.errors import MctlError
from infra.machine import MachineSpec
from infra.stacks import project

PROGRAM = ("Pulumi.yaml", "*.py", "requirements*.txt", "pyproject.toml", "uv.lock")


def stacks(folder: Path, files: Collection[str]) -> list[str]:
    """Name the stacks of a project folder that files in it touch: each by what it declares, all by the program.

    files: relative to the folder, with slashes; also those that are no more.
    """
    declared = project.stacks(folder)
    if any(fnmatch(file, pattern) for file in files for pattern in PROGRAM):
        return declared
    return [stack for stack in declared if not {f"Pulumi.{stack}.yaml", *_named(folder, stack)}.isdisjoint(files)]


def gone(folder: Path, files: Collection[str]) -> list[str]:
    """Name the stacks whose file was deleted."""
    named = {file[len("Pulumi.") : -len(".yaml")] for file in files if fnmatch(file, "Pulumi.*.yaml")}
    return sorted(named - set(project.stacks(folder)))


def _named(folder: Path, stack: str) -> Iterator[str]:
    """Give the files that a stack's machines name: scripts and user data."""
    with suppress(MctlError):  # what can't be read is told by the preview
        for name, entry in project.machines(folder, stack).items():
            yield from MachineSpec.from_config(name, entry).files
