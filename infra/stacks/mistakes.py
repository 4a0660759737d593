"""Mistakes in a stack's file that have no meaning of their own to be refused by."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from infra.errors import UsageError
from infra.stacks import project
from infra.stacks.yaml_files import nearest

NEARLY = 0.85


def check(folder: Path, stack: str) -> None:
    """Refuse what can only be meant otherwise: a key that is nearly ours, and a machine that two stacks declare.

    Raises UsageError that names the file and the line.
    """
    for key in project.settings(folder, stack):
        near = get_close_matches(str(key), project.OUR_KEYS, 1, NEARLY) if key not in project.OUR_KEYS else ()
        if near:
            file = nearest(project.file_of(folder, stack), [["config", str(key)]])
            raise UsageError(f"{file}: {key} is no setting of mctl; did you mean {near[0]!r}?")
    declared = set(project.providers(folder, stack))
    for other in project.stacks(folder):
        for name in sorted(declared & set(project.providers(folder, other))) if other != stack else ():
            first, second = (project.place(folder, each, (name,)) for each in (stack, other))
            raise UsageError(
                f"{first}: machine {name!r} is declared in {second} too",
                machine=name,
                mend="give one of them another name",
            )
