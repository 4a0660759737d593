"""What a provider has of ours that no stack knows of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from infra.components import drivers
from infra.components.drivers import Orphan
from infra.components.ownership import OWNER
from infra.errors import NotFoundError, UsageError
from infra.stacks import locks, project, state_files
from infra.stacks.owner import owner
from infra.stacks.progress import Progress, Report
from infra.stacks.store import Stack


def find(provider: str, options: Mapping[str, Any], report: Report) -> list[Orphan]:
    """List them in an order in which they can be deleted.

    What a stack may just be making is left out, and told so: one that another run is changing. Where the state is not
    on this computer its lock can't be seen, but the state itself says what was begun. It is read after the provider was
    asked: what was being made then is still, or has its id. Raises UsageError for a provider that has none.
    """
    driver = drivers.load(provider)
    if not driver.orphans:
        raise UsageError(f"provider {driver.name} has nothing that could be left behind")
    folder = project.find_project()
    report(Progress("", f"Asking {driver.name}"))
    owners = {owner(folder), *filter(None, (project.owner(folder, stack) for stack in project.stacks(folder)))}
    args = drivers.read_args(driver, "", options)
    found = [orphan for each in sorted(owners) for orphan in driver.orphans(args, {OWNER: each})]
    known: set[str] = set()
    busy = set()
    # A stack that is tagged and not declared here may be a teammate's: its state tells.
    for stack in sorted({*project.stacks(folder), *(orphan.stack for orphan in found)}) if found else ():
        if any(map(locks.is_held, state_files.locks(folder, stack))):
            busy.add(stack)
            report(Progress("", f"stack {stack} is being changed: what is its is left out", notice=True))
            continue
        with suppress(NotFoundError):  # declared and never made, or gone
            ids, has_begun = Stack(folder, stack, report, read=True).ids()
            known |= {each.casefold() for each in ids}
            if has_begun and not state_files.path(folder, stack):
                busy.add(stack)
                said = "is being changed, or its last run was killed: what is its is left out"
                mend = f"mctl refresh {stack} settles it once no run is at work"
                report(Progress("", f"stack {stack} {said}; {mend}", notice=True))
    # Azure spells an id in several ways, and no provider tells two apart by case alone.
    return [orphan for orphan in found if orphan.stack not in busy and orphan.id.casefold() not in known]


def delete(orphans: Sequence[Orphan], report: Report) -> None:
    """Delete them, one after another in their order. Raises what the provider says of the first that can't be."""
    for orphan in orphans:
        report(Progress(orphan.machine, f"Deleting {orphan.kind} {orphan.id}"))
        orphan.delete()
