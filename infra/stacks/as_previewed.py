"""An `up` that does what was previewed before, perhaps elsewhere by another, and nothing else.

What was previewed is known by a digest. The same is previewed again under the stack's lock, and the engine holds the
`up` to that plan: https://www.pulumi.com/docs/iac/concepts/update-plans/.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.errors import NotFoundError, StackError
from infra.machine import MachineSpec
from infra.stacks import effects, previews, project
from infra.stacks.machines import keep_records, locate
from infra.stacks.progress import Report
from infra.stacks.records import Record
from infra.stacks.steps import Change
from infra.stacks.store import Stack

LENGTH = 16


def digest(folder: Path, stack: str, changes: Sequence[Change]) -> str:
    """Tell changes from others: by what is done to each resource and why, and by how their machines are declared."""
    done = sorted([change.resource, change.kind, change.op, change.why] for change in changes)
    declared = project.machines(folder, stack)
    touched = {name: entry for name, entry in declared.items() if name in effects.of(changes, declared)}
    files = {
        path: _content(folder / path)
        for name, entry in touched.items()
        for path in MachineSpec.from_config(name, entry).files
    }
    told = json.dumps([done, touched, files], sort_keys=True, default=str)
    return sha256(told.encode()).hexdigest()[:LENGTH]


def up(name: str, previewed: str, report: Report) -> list[Record]:
    """Bring a stack to what it declares, if that is what was previewed. Raises StackError where it is not.

    previewed: the digest of the changes then.
    """
    folder, stack = locate(name)
    try:
        opened, is_new = Stack(folder, stack, report), False
    except NotFoundError:
        is_new = True
        _require(previewed, folder, stack, previews.unmade(folder, stack))
        opened = Stack(folder, stack, report, make=True)
    with TemporaryDirectory(prefix="mctl-plan-") as private:
        plan = Path(private, "plan.json")
        changes = opened.preview(plan=plan)
        if not is_new:
            _require(previewed, folder, stack, changes)
        if changes:
            opened.up(mend=f"mctl preview {name}, then mctl up {name}", plan=plan)
    return keep_records(opened, report)


def _require(previewed: str, folder: Path, stack: str, changes: Sequence[Change]) -> None:
    if digest(folder, stack, changes) != previewed:
        raise StackError(
            f"what would be done to stack {stack} now is not what was previewed, so nothing was done",
            mend=f"look with mctl preview {stack}, then mctl up {stack}",
        )


def _content(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
