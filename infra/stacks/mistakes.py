"""Mistakes in a project that have no meaning of their own to be refused by."""

from __future__ import annotations

import ast
from difflib import get_close_matches
from pathlib import Path

import infra
from infra.errors import UsageError
from infra.stacks import project
from infra.stacks.yaml_files import nearest, read_plain

NEARLY = 0.85
PROGRAM = "__main__.py"


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


def refuse_other_program(folder: Path, stack: str) -> None:
    """Refuse a project whose program is more than ours: what else it makes, a run of ours would remove.

    Raises UsageError.
    """
    main = folder / str(read_plain(folder / "Pulumi.yaml").get("main") or ".")
    file = main if main.suffix == ".py" else main / PROGRAM
    if file.is_file() and _statements(file) != _statements(Path(infra.__file__).with_name(PROGRAM)):
        raise UsageError(
            f"{file} is a program of its own, and mctl would remove what else that makes: it runs none but its own",
            mend=f"pulumi up --stack {stack}; in a project that holds machines alone, mctl init shows the program",
        )


def _statements(file: Path) -> list[str]:
    """Read a program without its comments and docstring. Raises UsageError."""
    try:
        body = ast.parse(file.read_text()).body
    except (SyntaxError, ValueError, OSError) as error:
        raise UsageError(f"{file} can't be read: {error}", mend="mend it, or restore it") from None
    return [
        ast.dump(each) for each in body if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
    ]
