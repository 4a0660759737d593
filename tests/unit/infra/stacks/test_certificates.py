"""Which steps are taken, in which order, and what is written down before each; the stack itself is a recorder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.authority import AFTER_ADOPTION, AuthoritySpec
from infra.machine import MachineSpec
from infra.stacks import certificates, project, records
from tests.certificates import Authority
from tests.stack_outputs import outputs

DECADE = 3650
Ups = list[tuple[AuthoritySpec, bool, Sequence[str]]]
ROLL = [AuthoritySpec().rolled()]
while step := ROLL[-1].step():
    ROLL.append(step)


@pytest.fixture
def ups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ups:
    """What was declared at each `up` (authority, adopted or not), and what was to be renewed by it."""
    monkeypatch.setenv("MCTL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # the checkout is a project too
    found: Ups = []

    class Stack:
        def __init__(self, folder: Path, name: str, report: object) -> None:
            self.folder, self.name = folder, name

        def up(self, mend: str, renew: Sequence[str] = ()) -> None:
            assert mend == "mctl regenerate-certs box"
            adopted = bool(project.machines(self.folder, self.name)["box"].get("adopted"))
            found.append((project.authority(self.folder, self.name), adopted, renew))

    monkeypatch.setattr(certificates, "Stack", Stack)
    monkeypatch.setattr(certificates, "keep_records", lambda *_: [records.load("box")])
    monkeypatch.setattr(certificates, "await_docker", lambda *_: None)
    return found


def declare(ca_days: int = DECADE, plan: AuthoritySpec | None = None, **spec: Any) -> None:
    folder = project.find_project()
    project.declare(folder, "box", MachineSpec(name="box", provider="generic", **spec))
    project.declare_authority(folder, "box", plan or AuthoritySpec())
    ca = Authority().server("ca", days=ca_days).cert
    records.save(outputs("box", ca_cert=ca), stack="box", project=str(folder))


def regenerate(**wishes: bool) -> None:
    certificates.regenerate("box", lambda _: None, **wishes)


def test_a_machine_alone_gets_a_new_key_and_the_client_only_where_it_is_asked_for(ups: Ups) -> None:
    declare()
    regenerate()
    regenerate(client=True)
    assert ups == [
        (AuthoritySpec(), False, ["box-server-key"]),
        (AuthoritySpec(), False, ["box-server-key", "authority-client-key"]),
    ]


def test_a_roll_takes_every_step_and_writes_each_down_first(ups: Ups) -> None:
    declare()
    regenerate(authority=True)
    assert ups == [(state, False, ()) for state in ROLL]


@pytest.mark.parametrize("reached", range(len(ROLL) - 1))
def test_a_roll_that_was_stopped_begins_with_the_step_that_it_may_not_have_made(ups: Ups, reached: int) -> None:
    declare(plan=ROLL[reached])
    regenerate()
    assert [plan for plan, _, _ in ups] == ROLL[reached:]


@pytest.mark.parametrize(("days", "rolls"), [(394, True), (396, False)])
def test_an_authority_that_would_end_before_what_it_signs_is_followed_by_the_next(
    ups: Ups, days: int, rolls: bool
) -> None:
    declare(ca_days=days)
    regenerate()
    assert [plan for plan, _, _ in ups] == (ROLL if rolls else [AuthoritySpec()])


def test_an_adopted_engine_is_configured_with_the_step_that_touches_hosts(ups: Ups) -> None:
    declare(plan=AFTER_ADOPTION, adopted={"engine_version": "20.10"})
    regenerate()
    assert [adopted for _, adopted, _ in ups] == [True, False, False, False]
    assert ups[-1][0] == AuthoritySpec()


def test_machines_of_one_stack_need_one_new_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)  # the checkout is a project too
    folder = project.find_project()
    for name, stack in (("a", "prod"), ("b", "prod"), ("c", "c")):
        project.declare(folder, stack, MachineSpec(name=name, provider="generic"))
    assert certificates.one_of_each_stack(["a", "b", "c", "nope"]) == ["a", "c", "nope"]
