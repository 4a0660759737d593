"""rm, in docker-machine's words. What can't be removed stays in the list, with --force too: nothing is orphaned."""

from __future__ import annotations

import sys
from functools import partial

from cli.compat import words
from cli.compat.power import missing
from cli.each import outcomes
from cli.output import say
from infra.errors import Interrupted, MctlError, NotFoundError
from infra.stacks import machines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.compat.flags import Value


def run(verb: str, names: Sequence[str], values: dict[str, Value]) -> int:
    """Ask, and remove each machine. An answer that is no yes, and none at all, end well with nothing done."""
    names = list(dict.fromkeys(names))
    force = bool(values.get("force"))
    sys.stdout.write(f"About to remove {', '.join(names)}\n")
    sys.stdout.write("WARNING: This action will delete both local reference and remote instance.\n")
    if not (force or values.get("y") or _is_sure()):
        return 0
    sys.stdout.flush()
    errors = {name: error for name in names if (error := missing(name))}
    there = [name for name in names if name not in errors]
    remove = partial(machines.remove, force=force, going=there)
    for name, error in outcomes(there, remove) if there else ():
        if error is None:
            sys.stdout.write(f"Successfully removed {name}\n")
            sys.stdout.flush()
        else:
            errors[name] = error
    for name, error in errors.items():
        text = words.known(error, verb)
        say(f'Error removing host "{name}"', text or error.message, None if text else error.mend)
    return max((_code(error, force=force) for error in errors.values()), default=0)


def _is_sure() -> bool:
    sys.stdout.write("Are you sure? (y/n): ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower().startswith("y")


def _code(error: MctlError, *, force: bool) -> int:
    if isinstance(error, Interrupted):
        return error.exit_code
    return 0 if force and isinstance(error, NotFoundError) else words.FAILED
