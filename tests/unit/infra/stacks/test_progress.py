"""What is told of an engine's run: its steps, its phases, and its failure as one error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from infra.errors import Interrupted, MctlError, PassphraseError, StackError
from infra.stacks.progress import Progress, Watcher

VM, COMMAND, KEY = "hypervisor:index:VirtualMachine", "command:remote:Command", "tls:index/privateKey:PrivateKey"


class Run:
    """One engine run of a stack with the machines `web` and `web-1`."""

    def __init__(self) -> None:
        self.told: list[Progress] = []
        self.watcher = Watcher(["web", "web-1"], self.told.append)

    def event(self, **kinds: Any) -> None:
        known = dict.fromkeys(("prelude_event", "resource_pre_event", "res_outputs_event", "diagnostic_event"))
        self.watcher(SimpleNamespace(**known | kinds))

    def step(self, kind: str, name: str, op: str = "create") -> None:
        self.event(resource_pre_event=_step(kind, name, op))

    def done(self, kind: str, name: str, op: str = "create") -> None:
        self.event(res_outputs_event=_step(kind, name, op))

    def says(self, text: str, severity: str = "info", name: str = "web-1-install", kind: str = COMMAND) -> None:
        urn = f"urn:pulumi:s::mctl::{kind}::{name}"
        self.event(diagnostic_event=SimpleNamespace(severity=severity, message=text, urn=urn))

    def failure(self, fallback: str = "", *, interrupted: bool = False) -> MctlError:
        return self.watcher.failure(fallback, "mctl up s", interrupted=interrupted)


def _step(kind: str, name: str, op: str) -> SimpleNamespace:
    return SimpleNamespace(metadata=SimpleNamespace(type=kind, urn=f"urn:pulumi:s::mctl::{kind}::{name}", op=op))


@pytest.fixture
def run() -> Run:
    return Run()


def test_each_step_is_told_once_with_its_machine(run: Run) -> None:
    for name in ("web-1-ssh-key", "web-1-ssh-host-key", "web-ssh-key", "authority-ca-key"):
        run.step(KEY, name)
    run.step(VM, "web-1-vm")
    assert run.told == [
        Progress("web-1", "Making keys and certificates"),
        Progress("web", "Making keys and certificates"),
        Progress("web-1", "Creating the virtual machine"),
    ]


def test_lines_that_a_host_marks_are_told_and_others_are_not(run: Run) -> None:
    run.says("mctl-step: installing docker.io\napt says this\nmctl-notice: using the distribution's packages")
    run.says("Reading package lists...")
    assert run.told == [
        Progress("web-1", "installing docker.io"),
        Progress("web-1", "using the distribution's packages", notice=True),
    ]


def test_boot_ends_with_the_hosts_first_word_and_each_phase_with_its_command(run: Run) -> None:
    run.step(VM, "web-1-vm")
    run.done(VM, "web-1-vm")
    run.step(COMMAND, "web-1-install")
    run.says("mctl-step: installing docker.io")
    run.done(COMMAND, "web-1-install")
    run.step(COMMAND, "web-1-configure")
    run.done(COMMAND, "web-1-configure")
    assert list(run.watcher.phases["web-1"]) == ["boot", "install", "configure"]


def test_a_host_that_was_there_has_no_boot(run: Run) -> None:
    run.step(COMMAND, "web-1-install")
    run.says("mctl-step: Docker Engine 27.3.1 is there already")
    run.done(COMMAND, "web-1-install")
    assert list(run.watcher.phases["web-1"]) == ["install"]


def test_the_hosts_own_error_and_its_mending_step_win(run: Run) -> None:
    run.says("update failed", "error", "mctl-s", "pulumi:pulumi:Stack")
    run.says("mctl-error: no room\nmctl-mend: make room\nrunning 'script' failed", "error")
    error = run.failure("code: 255")
    assert (type(error), error.message, error.mend, error.machine) == (StackError, "no room", "make room", "web-1")


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("<{%fg 1%}>error: rpc error: code = Unknown desc = the reason<{%reset%}>", "the reason"),
        ("error: 2 errors occurred:\n\t1) the reason\n\t2) Unknown", "the reason"),
        ("error: 1 error occurred:\n\t* the reason:", "the reason"),
        ("SDK 2026/11/25 13:10:20 WARN Response has no supported checksum.\nerror: the reason", "the reason"),
        ("", "the Pulumi engine failed without a word"),
    ],
)
def test_a_failure_is_one_sentence_without_what_the_engine_puts_before_it(run: Run, said: str, message: str) -> None:
    assert run.failure(f"\n code: 255\n stdout: much\n stderr: {said}").message == message


def test_a_failure_leaves_out_the_script_that_ran(run: Run) -> None:
    run.says('timed out after 600s: dial tcp 192.0.2.7:22: i/o timeout: running "fail() {\\n…":\n', "error")
    assert run.failure().message == "timed out after 600s: dial tcp 192.0.2.7:22: i/o timeout"


def test_a_resources_error_comes_before_the_stacks(run: Run) -> None:
    run.says("update failed", "error", "mctl-s", "pulumi:pulumi:Stack")
    run.says("port 22 is taken", "error", "web-1-vm", VM)
    error = run.failure("stderr: error: update failed")
    assert (error.message, error.machine, error.mend) == ("port 22 is taken", "web-1", "mctl up s")


@pytest.mark.parametrize(
    "cancelled",
    [
        "CANCELLED",
        "error: rpc error: code = Canceled desc = CANCELLED",
        "rpc error: code = Canceled desc = context canceled",
        "1 error occurred:\n\t* context canceled",
        "Locally cancelled by application!",
        "operation canceled",
    ],
)
def test_what_was_only_stopped_by_anothers_failure_is_not_the_reason(run: Run, cancelled: str) -> None:
    run.says(cancelled, "error", "web-vm", VM)
    run.says("update failed", "error", "mctl-s", "pulumi:pulumi:Stack")
    assert "cancel" in run.failure("stderr: error: update failed").message.lower(), "there is no better one"
    run.says("the zone is full", "error", "web-1-vm", VM)
    error = run.failure()
    assert (error.message, error.machine) == ("the zone is full", "web-1")


def test_what_the_engine_says_itself_comes_before_what_was_only_stopped(run: Run) -> None:
    run.says("CANCELLED", "error", "web-vm", VM)
    assert run.failure("stderr: error: the plugin has crashed").message == "the plugin has crashed"


def test_of_several_tries_the_last_ones_failure_counts(run: Run) -> None:
    run.event(prelude_event=SimpleNamespace(config={}))
    run.says("error code 429: too many requests", "error")
    run.event(prelude_event=SimpleNamespace(config={}))
    run.says("the zone is full", "error")
    assert run.failure().message == "the zone is full"


def test_a_wrong_passphrase_and_a_ctrl_c_are_their_own_errors(run: Run) -> None:
    assert isinstance(run.failure("stderr: error: incorrect passphrase"), PassphraseError)
    stopped = run.failure("stderr: error: update canceled", interrupted=True)
    assert isinstance(stopped, Interrupted)
    assert (stopped.message, stopped.mend) == ("stopped; what was made so far is kept", "mctl up s")


def test_what_failed_before_a_run_was_tried_again_is_not_why_it_fails(run: Run) -> None:
    for text in ("error code 429: too many requests", "no valid host was found"):
        run.event(prelude_event=SimpleNamespace(config={}))
        run.says(text, "error")
    assert run.failure().message == "no valid host was found"
