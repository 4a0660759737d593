"""The one question before what can't be undone, as set and regenerate-certs ask it; rm's is in test_errors.py."""

from __future__ import annotations

import io
import sys

import pytest

from infra.machine import MachineSpec
from infra.stacks import certificates, changes, project, records
from infra.stacks.effects import Effect
from tests.cli_runner import Ran, in_process
from tests.stack_outputs import outputs

BOX = MachineSpec(name="box", provider="generic", options={"ip_address": "192.0.2.7"})
SET = ("set", "box", "--tls-san", "box.example")
CERTS = ("regenerate-certs", "box")
QUESTIONS = {
    SET: "box: restarts the engine (containers keep running)\nAre you sure? (y/n): ",
    CERTS: "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): ",
}
DONE = {
    SET: 'Machine "box" was changed.\n',
    CERTS: 'Regenerated the TLS certificates of machine "box".\n',
}
WITHOUT_ASKING = {SET: "mctl set box --yes …", CERTS: "mctl regenerate-certs -y box"}


@pytest.fixture(autouse=True)
def done(mctl_home: object, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Have a machine; give what was done to it."""
    done: list[str] = []
    folder = project.find_project()
    project.declare(folder, "prod", BOX)
    records.save(outputs("box"), stack="prod", project=str(folder))
    plan = changes.Plan(folder, "prod", BOX, BOX, {"box": Effect.ENGINE})
    monkeypatch.setattr(changes, "plan", lambda *_: plan)
    monkeypatch.setattr(changes, "apply", lambda *_: done.append("set"))
    monkeypatch.setattr(certificates, "regenerate", lambda *_, **__: done.append("regenerate-certs"))
    return done


def answered(answer: str, verb: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> Ran:
    monkeypatch.setattr(sys, "stdin", io.StringIO(answer))
    return in_process(*verb)


@pytest.mark.parametrize("verb", [SET, CERTS], ids=lambda verb: verb[0])
@pytest.mark.parametrize("answer", ["n\n", "\n", "perhaps\ny\n"])
def test_what_does_not_begin_with_y_is_a_no(
    verb: tuple[str, ...], answer: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answered(answer, verb, monkeypatch) == Ran(0, "", QUESTIONS[verb])
    assert done == []


@pytest.mark.parametrize("verb", [SET, CERTS], ids=lambda verb: verb[0])
@pytest.mark.parametrize("answer", ["y\n", "Yes\n"])
def test_a_yes_is_taken_from_standard_input(
    verb: tuple[str, ...], answer: str, done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answered(answer, verb, monkeypatch) == Ran(0, DONE[verb], QUESTIONS[verb])
    assert done == [verb[0]]


@pytest.mark.parametrize("verb", [SET, CERTS], ids=lambda verb: verb[0])
def test_nobody_to_ask_is_a_usage_error_that_names_the_way_without(
    verb: tuple[str, ...], done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    error = f"\nError: nobody answers, so nothing was done\n  hint: {WITHOUT_ASKING[verb]}\n"
    assert answered("", verb, monkeypatch) == Ran(2, "", QUESTIONS[verb] + error)
    assert done == []
