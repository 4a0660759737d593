"""What an engine run says, as steps a user can follow, and its failure as one error.

The scripts that run on hosts mark their lines: `mctl-step:` for progress, `mctl-notice:` for what the user should know,
`mctl-error:` and `mctl-mend:` for a failure.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from infra.errors import Interrupted, MctlError, PassphraseError, StackError

Report = Callable[["Progress"], None]

MARK = re.compile(r"^mctl-(step|notice|error|mend): ?(.*)$", re.MULTILINE)
MACHINE = "mctl:infra:Machine"
# What the engine puts before a reason, and lines of its that are none.
BEFORE = re.compile(r"^(error: |rpc error: code = \w+ desc = |\* |\d+\) )+")
RUNNING = ': running "'  # and then the whole script
NO_REASON = re.compile(r"sdk-|----|\d+ errors? occurred:$|SDK \S+ \S+ WARN ")
NO_WORD = "the Pulumi engine failed without a word"
STOPPED = re.compile(r"[\w ]*cancell?ed[\w !]*", re.IGNORECASE)
STEPS = {
    "hypervisor:index:VirtualMachine": {
        "create": "Creating the virtual machine",
        "update": "Changing the virtual machine",
        "delete": "Removing the virtual machine",
        "replace": "Replacing the virtual machine",
    },
    "tls:index/privateKey:PrivateKey": {"create": "Making keys and certificates"},
    "tls:index/locallySignedCert:LocallySignedCert": {"create-replacement": "Renewing certificates"},
}


@dataclass(frozen=True)
class Progress:
    """One thing to tell the user. machine: empty where it concerns the whole stack. notice: worth keeping in view.

    done: with this the machine is what it is meant to be, which one who waits for many counts.
    """

    machine: str
    text: str
    notice: bool = False
    done: bool = False


class Watcher:
    """Follow the events of one engine run, which may take several tries.

    phases: seconds by machine and phase (`boot`, `install`, `configure`).
    """

    def __init__(self, machines: Sequence[str], report: Report) -> None:
        self._machines = machines
        self._report = report
        self._said: set[tuple[str, str]] = set()
        self._began: dict[tuple[str, str], float] = {}
        self._errors: list[tuple[str, str]] = []
        self.phases: dict[str, dict[str, float]] = {}

    def __call__(self, event: Any) -> None:
        """Take one engine event (`pulumi.automation.EngineEvent`)."""
        if event.prelude_event:
            self._errors.clear()  # a run begins: what failed in the one before was tried again
        elif event.resource_pre_event:
            self._before(event.resource_pre_event.metadata)
        elif event.res_outputs_event:
            self._after(event.res_outputs_event.metadata)
        elif event.diagnostic_event:
            self._diagnostic(event.diagnostic_event)

    def failure(self, fallback: str, mend: str, *, interrupted: bool) -> MctlError:
        """Give the run's failure as one error: the first cause, with its own mending step where it named one."""
        if interrupted:
            return Interrupted("stopped; what was made so far is kept", mend=mend)
        for urn, text in self._errors:
            marked = dict(MARK.findall(text))
            if "error" in marked:
                machine = self._machine(urn)
                return StackError(marked["error"], machine=machine, mend=marked.get("mend", mend))
        if "incorrect passphrase" in fallback:
            return PassphraseError(
                "the passphrase does not open this stack's secrets",
                mend="export PULUMI_CONFIG_PASSPHRASE=… with the one that the stack was made with",
            )
        said = [(urn, _sentence(text)) for urn, text in self._errors] + [("", _sentence(_stderr_of(fallback)))]
        urn, reason = min(said, key=lambda each: _says_little(each[1]))
        of_each = [(self._machine(urn), text) for urn, text in said]
        return StackError(reason, machine=self._machine(urn) or None, mend=mend, reasons=of_each)

    def _before(self, step: Any) -> None:
        op = getattr(step.op, "value", str(step.op))
        machine = self._machine(step.urn)
        text = STEPS.get(step.type, {}).get(op)
        if text and machine:
            self._say(machine, text)
        if op in ("create", "create-replacement", "update"):
            self._began[(machine, _phase(step.type, step.urn))] = time.monotonic()

    def _after(self, step: Any) -> None:
        if step.type == MACHINE:  # a component's outputs are known when all that it is made of is there
            gone = getattr(step.op, "value", str(step.op)) == "delete"
            self._report(Progress(step.urn.rpartition("::")[2], "removed" if gone else "ready", done=True))
        machine, phase = self._machine(step.urn), _phase(step.type, step.urn)
        if phase in ("install", "configure") and (machine, phase) in self._began:
            self.phases.setdefault(machine, {})[phase] = time.monotonic() - self._began.pop((machine, phase))

    def _diagnostic(self, diagnostic: Any) -> None:
        severity = getattr(diagnostic.severity, "value", diagnostic.severity)
        text, urn = _plain(diagnostic.message), diagnostic.urn or ""
        machine = self._machine(urn)
        if severity == "error":
            self._errors.append((urn, text))
        elif severity.startswith("info"):
            marked = MARK.findall(text)
            if marked:
                self._first_word_of_the_host(machine)
            for kind, what in marked:
                if kind in ("step", "notice"):
                    self._say(machine, what, notice=kind == "notice")
            if not marked and "VirtualMachine" in urn:
                self._say(machine, text.strip(), notice=True)

    def _first_word_of_the_host(self, machine: str) -> None:
        """End the boot of a VM that was just made: from here on the install command does what it is for."""
        if (machine, "boot") in self._began and (machine, "install") in self._began:
            now = time.monotonic()
            self.phases.setdefault(machine, {})["boot"] = now - self._began.pop((machine, "boot"))
            self._began[(machine, "install")] = now

    def _say(self, machine: str, text: str, *, notice: bool = False) -> None:
        if text and (machine, text) not in self._said:
            self._said.add((machine, text))
            self._report(Progress(machine, text, notice))

    def _machine(self, urn: str) -> str:
        return owner(urn.rpartition("::")[2], self._machines)


def owner(resource: str, machines: Iterable[str]) -> str:
    """Tell by its name whose a resource is; nothing where it is the whole stack's."""
    owners = (machine for machine in machines if resource == machine or resource.startswith(f"{machine}-"))
    return max(owners, key=len, default="")


def _phase(kind: str, urn: str) -> str:
    if kind == "hypervisor:index:VirtualMachine":
        return "boot"
    return urn.rpartition("-")[2] if kind == "command:remote:Command" else ""


def _plain(text: str) -> str:
    """Drop the engine's colour tags and terminal escapes."""
    return re.sub(r"<\{%[^%]*%\}>|\x1b\[[0-9;]*m", "", text)


def _stderr_of(text: str) -> str:
    return text.partition("stderr:")[2] if "stderr:" in text else text


def _sentence(text: str) -> str:
    """Give the first line that says something, without what the engine puts before it."""
    for line in _plain(text).splitlines():
        said = BEFORE.sub("", line.strip()).partition(RUNNING)[0]
        if said and not NO_REASON.match(said):
            return said.rstrip(":")
    return NO_WORD


def _says_little(reason: str) -> int:
    """Tell a reason, 0, from what was only stopped by another's failure, 1, and from no reason, 2."""
    return 2 if reason.startswith(("update failed", NO_WORD)) else int(bool(STOPPED.fullmatch(reason)))
