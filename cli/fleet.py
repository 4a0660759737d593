"""Many machines by one command: their stacks side by side, one display, and one word for each that failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from cli import side_by_side
from cli.output import say
from cli.progress import progress, progress_of_many
from infra.errors import Interrupted, MctlError
from infra.stacks import machines, project, records

if TYPE_CHECKING:
    from infra.stacks.fleets import Fleet


def bring(fleet: Fleet, mend: str) -> MctlError | None:
    """Bring all stacks of a fleet to what they declare, saying which failed; give the first failure."""
    failures = [_named(fleet, stack, error) for stack, error in _failures(fleet, mend)]
    if len(failures) < 2:
        return failures[0] if failures else None
    for error in failures:
        say("Error", error.message, error.mend)
    kind = Interrupted if any(isinstance(error, Interrupted) for error in failures) else MctlError
    return kind(f"{len(failures)} of {len(fleet.stacks)} stacks are not finished", mend=mend)


def _named(fleet: Fleet, stack: str, error: MctlError) -> MctlError:
    """Say whose a failure is, where it may be that of several."""
    if error.machine and f'"{error.machine}"' not in error.message and _count(fleet) > 1:
        error.message = f'machine "{error.machine}": {error.message}'
    if len(fleet.stacks) > 1:
        error.message = f"stack {stack}: {error.message}"
    return error


def _count(fleet: Fleet) -> int:
    return sum(len(project.machines(fleet.folder, stack)) for stack in fleet.stacks) + len(fleet.gone)


def _failures(fleet: Fleet, mend: str) -> list[tuple[str, MctlError]]:
    with progress_of_many(_count(fleet)) as report:
        outcomes = side_by_side.run(
            [[stack] for stack in fleet.stacks],
            lambda stack, tell: machines.bring(fleet.folder, stack, tell, mend=mend),
            report,
        )
        return [(stack, error) for stack, error in outcomes if isinstance(error, MctlError)]


def scale(name: str, count: int, mend: str, again: str, *, force: bool = False) -> MctlError | None:
    """Bring a group to so many machines; give the first failure. again: the command that forces it."""
    from infra.stacks import fleets

    with progress() as report:
        scaled = fleets.apply_scale(name, count, report, force=force, again=again)
    return bring(scaled, mend)


def remove(name: str, *, force: bool = False) -> MctlError | None:
    """Remove a group with all of its machines."""
    from infra.stacks import fleets

    failed = scale(name, 0, f"mctl rm {name}", f"mctl rm -f {name}", force=force)
    if not failed:
        fleets.forget(name, lambda _step: None)
    return failed


def show(fleet: Fleet) -> None:
    """Print each machine that was made with its daemon's URL."""
    for name in (name for stack in fleet.stacks for name in project.machines(fleet.folder, stack)):
        if records.exists(name):
            typer.echo(f"{name} {records.load(name).docker_url}")
