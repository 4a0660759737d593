"""What becomes of the declaration where another run holds the stack."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from infra.errors import StackLockedError
from infra.machine import MachineSpec
from infra.stacks import changes, project
from tests.cli_runner import mctl_home

__all__ = ["mctl_home"]
BOX = MachineSpec(name="box", provider="generic", options={"ip_address": "192.0.2.7"})


def set_sans(folder: Path) -> None:
    changed = replace(BOX, tls_sans=("box.example",))
    changes.apply(changes.Plan(folder, "prod", changed, {}, is_new=True), lambda _step: None)


def rename(_folder: Path) -> None:
    changes.rename("box", "crate", lambda _step: None)


@pytest.mark.parametrize("change", [set_sans, rename])
def test_a_change_that_is_refused_leaves_the_declaration_as_it_is(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch, change: Callable[[Path], None]
) -> None:
    def refuse(*_: object) -> None:
        raise StackLockedError("stack prod is locked by another mctl (pid 7)")

    folder = project.find_project()
    project.declare(folder, "prod", BOX)
    before = (folder / "Pulumi.prod.yaml").read_bytes()
    monkeypatch.setattr(changes, "Stack", refuse)
    with pytest.raises(StackLockedError):
        change(folder)
    assert (folder / "Pulumi.prod.yaml").read_bytes() == before
