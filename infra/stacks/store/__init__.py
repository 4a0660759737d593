"""The one gate to the Pulumi engine: a stack, opened, changed and read.

A stack that exists is only ever opened; only `make=True` makes one. Engine processes get signals from us alone, so that
a Ctrl-C always ends with the lock released and the state saved.
"""

from __future__ import annotations

import json
import os
import re
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar, cast

from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode

from infra.errors import MctlError, NotFoundError, StackLockedError
from infra.machine import MachineSpec
from infra.stacks import locks, passphrase, program, project, pulumi_program, served_plugins, state_files, steps
from infra.stacks.home import home
from infra.stacks.progress import Progress, Report, Watcher
from infra.stacks.steps import MACHINE, Change, Drift
from infra.stacks.store.process import Engine

# It warns of an event stream that its engine's death cut off: the failure itself is told, and once is enough.
warnings.filterwarnings("ignore", module=r"pulumi\.automation\.")

T = TypeVar("T")
# What the engine says of state or a lock that it finds cut off: another run is writing it just now, was killed, or had
# a full disk.
CUT_OFF = re.compile(
    r"error: (.*: )?(EOF|unexpected end of JSON input|corrupt store: missing version .*)$", re.MULTILINE
)
CUT_OFF_TRIES, CUT_OFF_SECONDS = 6, 0.3
# What a provider says that is overloaded or counts calls (RFC 6585, RFC 9110), and the seconds before each other try.
PASSING = re.compile(
    r"\b(status|code|error|http)\b\W*(code)?\W*(429|50[234])\b|\b429 |\b50[234] (bad|service|gateway)|rate ?limit"
    r"|too many requests|throttl|requestlimitexceeded|service unavailable|temporarily unavailable",
    re.IGNORECASE,
)
PASSING_SECONDS = (1, 2, 4, 8, 16)
AGAIN = "run the same command again"
RENEWABLE = ("tls:index/privateKey:PrivateKey", "command:remote:Command")


class Stack:
    """Open one stack of a project folder.

    make: make it where there is none. read: nothing is to be changed, so another run may be at work. variables: for the
    engine and its plugins, in this run alone. Raises NotFoundError where there is none, StackLockedError,
    PassphraseError, PreCreateError where the Pulumi engine can't be had.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        report: Report,
        *,
        make: bool = False,
        read: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.name, self._report = folder, name, report
        self._alone = None if read else locks.one_run(folder, name)
        found = pulumi_program.find_pulumi(self._say, _install_official)
        served_plugins.ensure(found.path, Path(home("pulumi")), self._say, self._notice)
        self._engine = Engine(found.path, found.version)
        if make:
            state_files.require_space(folder)
        self._refused: MctlError | None = None
        self._instead: dict[str, MachineSpec] = {}
        self._made: dict[str, dict[str, Any]] | None = None
        workspace = _Workspace(
            work_dir=str(folder),
            pulumi_home=home("pulumi"),
            program=self._run_program,
            env_vars=_environment(folder) | passphrase.environment(make=make) | dict(variables or {}),
            pulumi_command=self._engine,
        )
        with self._failures(f"mctl ls, or mctl create {name}"):
            self._stack = self._mended(lambda: self._open(workspace, make=make))

    def _open(self, workspace: _Workspace, *, make: bool) -> _Opened:
        if make and not project.stack_exists(self.folder, self.name):
            with suppress(auto.StackAlreadyExistsError):
                return _Opened(self.name, workspace, StackInitMode.CREATE)
        try:
            return _Opened(self.name, workspace, StackInitMode.SELECT)
        except auto.StackNotFoundError:
            if not make:
                raise
            return _Opened(self.name, workspace, StackInitMode.CREATE)

    def _say(self, line: str) -> None:
        self._report(Progress("", line))

    def _notice(self, line: str) -> None:
        self._report(Progress("", line, notice=True))

    def up(self, mend: str, renew: Sequence[str] = (), plan: Path | None = None) -> Mapping[str, Mapping[str, float]]:
        """Bring the stack to what it declares; give the seconds of each machine's phases.

        renew: names of keys to make anew, with all that is made of them, and of commands to run again. plan: what a
        preview wrote; whatever else would be done fails.
        """
        state_files.require_space(self.folder)  # what removes may run on a full disk: it frees some
        watcher = self._watcher()
        renewable = self._resources(*RENEWABLE) if renew else ()
        replaced = [r["urn"] for r in renewable if r["urn"].rpartition("::")[2] in renew] or None
        with self._failures(mend, watcher):
            self._patiently(
                lambda: self._stack.up(
                    on_event=watcher,
                    suppress_outputs=True,
                    color="never",
                    replace=replaced,
                    plan=str(plan) if plan else None,
                )
            )
        return watcher.phases

    def refresh(self) -> None:
        """Take over into the stack state what is really there; what was begun and never seen again is dropped."""
        watcher, self._made = self._watcher(), None
        with self._failures(f"mctl refresh {self.name}", watcher):
            self._patiently(lambda: self._stack.refresh(on_event=watcher, color="never", clear_pending_creates=True))

    def preview(self, instead: Mapping[str, MachineSpec] | None = None, plan: Path | None = None) -> list[Change]:
        """Say what an `up` would do; instead: were these machines declared so. Nothing of that is written anywhere.

        plan: file to write for an `up` that is to do just that; secrets in it are encrypted.
        """
        return self._planned(instead, plan=plan)[0]

    def drift(self) -> tuple[list[Change], list[Drift]]:
        """Say what an `up` would do about the world as it is now, and what of it is otherwise than when it was made."""
        return self._planned(refresh=True)

    def _planned(
        self,
        instead: Mapping[str, MachineSpec] | None = None,
        *,
        refresh: bool | None = None,
        plan: Path | None = None,
    ) -> tuple[list[Change], list[Drift]]:
        changes: dict[str, Change] = {}
        drifted: list[Drift] = []
        self._instead = dict(instead or {})

        watcher = self._watcher(lambda _step: None)  # what would be done is no progress

        def note(event: auto.EngineEvent) -> None:
            watcher(event)
            if event.resource_pre_event and (change := steps.change(event.resource_pre_event.metadata)):
                changes[event.resource_pre_event.metadata.urn] = change
            if event.res_outputs_event and (drift := steps.drift(event.res_outputs_event.metadata)):
                drifted.append(drift)

        with self._failures(f"mctl preview {self.name}", watcher):
            self._stack.preview(on_event=note, color="never", refresh=refresh, plan=str(plan) if plan else None)
        self._instead = {}
        return list(changes.values()), drifted

    def destroy(self, *machine: str) -> None:
        """Remove everything in the stack, or one machine's part of it. machine: every name that it may have there."""
        watcher = self._watcher()
        target = self._descendants(machine) if machine else None
        if target == []:
            return
        with self._failures(f"mctl rm {machine[0] if machine else self.name}", watcher):
            self._patiently(lambda: self._stack.destroy(target=target, on_event=watcher, color="never"))

    def delete(self) -> None:
        """Remove the empty stack itself, with its backups."""
        with self._failures(f"mctl rm {self.name}"):
            self._unlocked(lambda: self._stack.workspace.remove_stack(self.name))
        state_files.sweep(self.folder, self.name)

    def settle(self) -> None:
        """Find what an interrupted run began to make, and take it into the stack state, or drop it where it is not."""
        pending = self._state().get("pending_operations") or []
        begun = [op["resource"] for op in pending if op["type"] == "creating"]
        if begun:
            self.refresh()

    def machines(self) -> list[dict[str, Any]]:
        """Read the outputs of each declared machine that was made, secrets included.

        Stack outputs name a machine until the next `up`, so one that was removed is still among them.
        """
        made = self._made
        if made is None:
            with self._failures(f"mctl refresh {self.name}"):
                made = self._mended(self._stack.every_output).get("machines", {})
        declared = project.machines(self.folder, self.name)
        return [machine for name, machine in made.items() if name in declared and _is_made(machine)]

    def keep_secret(self, key: str, text: str) -> None:
        """Put a value into the stack's config, encrypted. key: with its namespace."""
        with self._failures(AGAIN), project.alone(self.folder, self.name):
            self._stack.pulumi("config", "set", "--secret", key, text=text)

    def secrets(self) -> dict[str, str]:
        """Read the secret values of the stack's config, in clear."""
        with self._failures(AGAIN):
            values = json.loads(self._stack.pulumi("config", "--show-secrets", "--json"))
        return {key: entry["value"] for key, entry in values.items() if entry["secret"]}

    def deployment(self) -> dict[str, Any]:
        """Read the whole stack state, secrets in clear."""
        with self._failures(f"mctl refresh {self.name}"):
            return dict(json.loads(self._mended(lambda: self._stack.pulumi("stack", "export", "--show-secrets"))))

    def take_over(self, exported: dict[str, Any]) -> None:
        """Make what another stack's `deployment` gave this one's state; secrets are encrypted as is usual here."""
        ours = {"secrets_providers": self._state()["secrets_providers"]}
        text = json.dumps({**exported, "deployment": {**exported["deployment"], **ours}})
        with self._failures(AGAIN):
            self._unlocked(lambda: self._stack.pulumi("stack", "import", text=text))

    def has_resources(self) -> bool:
        """Tell whether the stack holds anything."""
        return bool(self._state().get("resources"))

    def ids(self) -> set[str]:
        """Give the providers' ids of all that the stack state has, also of what is about to be deleted."""
        return {resource["id"] for resource in self._state().get("resources") or [] if resource.get("id")}

    def _resources(self, *kinds: str) -> list[dict[str, Any]]:
        return [resource for resource in self._state().get("resources") or [] if resource["type"] in kinds]

    def _state(self) -> dict[str, Any]:
        with self._failures(f"mctl refresh {self.name}"):
            return dict(self._mended(self._stack.export_stack).deployment or {})

    def _descendants(self, machine: Sequence[str]) -> list[str]:
        resources = self._state().get("resources") or []
        family = {r["urn"] for r in resources if r["type"] == MACHINE and r["urn"].rpartition("::")[2] in machine}
        for resource in resources:  # parents come before their children
            if resource.get("parent") in family:
                family.add(resource["urn"])
        return sorted(family)

    def _watcher(self, report: Report | None = None) -> Watcher:
        return Watcher(list(project.machines(self.folder, self.name)), report or self._report)

    def _patiently(self, work: Callable[[], object]) -> None:
        """Change the stack, and again where a provider had no time for it: what is made already stays made."""
        for seconds in PASSING_SECONDS:
            try:
                return self._unlocked(work)
            except auto.CommandError as error:
                if self._engine.interrupted or not PASSING.search(str(error)):
                    raise
            self._say(f"The provider has too much to do: trying again in {seconds} s")
            time.sleep(seconds)
        return self._unlocked(work)

    def _unlocked(self, work: Callable[[], object]) -> None:
        """Run, and once more where only a killed run's lock stood in the way."""
        try:
            self._mended(work)
        except auto.ConcurrentUpdateError as error:
            if not locks.abandoned(str(error)):
                raise
            self._report(Progress("", "Clearing the lock of a run that was killed"))
            self._stack.cancel()
            self._mended(work)

    def _mended(self, work: Callable[[], T]) -> T:
        """Run, again while another run is writing what was read, and after mending what nobody writes any more."""
        for tried in range(CUT_OFF_TRIES):
            try:
                return work()
            except auto.CommandError as error:
                if not CUT_OFF.search(str(error).partition("stderr:")[2]):  # hosts say EOF too, but elsewhere
                    raise
            time.sleep(CUT_OFF_SECONDS)
            if tried and not any(map(locks.is_held, state_files.locks(self.folder, self.name))):
                state_files.mend(self.folder, self.name)
        return work()

    def _run_program(self) -> None:
        """Run the program, keeping what it made, and what it refuses: the engine would hand it back as a traceback."""
        self._made = None
        try:
            program.run(str(self.folder), self._keep_made, self._instead)
        except MctlError as error:
            self._refused = error
            raise

    def _keep_made(self, machines: dict[str, dict[str, Any]]) -> None:
        self._made = machines

    @contextmanager
    def _failures(self, mend: str, watcher: Watcher | None = None) -> Iterator[None]:
        """Turn every failure of the engine into one error of ours."""
        watcher = watcher or self._watcher()
        try:
            yield
        except auto.StackNotFoundError:
            mend = f"mctl ls, or mctl create {self.name}"
            raise NotFoundError(f"stack {self.name} does not exist", mend=mend) from None
        except auto.ConcurrentUpdateError as error:
            by = ", ".join(locks.holders(str(error))) or "another run"
            raise StackLockedError(f"stack {self.name} is locked by {by}", mend=locks.WAIT) from None
        except auto.CommandError as error:
            if self._refused:
                raise self._refused from None
            raise watcher.failure(str(error), mend, interrupted=self._engine.interrupted) from error
        except KeyboardInterrupt:
            raise watcher.failure("", mend, interrupted=True) from None


def _is_made(machine: dict[str, Any]) -> bool:
    """Tell a machine from one whose making stopped: its engine has a version, or nothing was there to be made."""
    return bool(machine.get("engine_version") or machine.get("ssh_port") == 0)


class _Opened(auto.Stack):
    """Leave out what an `up` looks up afterwards and nobody reads: each is one more engine process."""

    def outputs(self) -> auto.OutputMap:
        return {}

    def info(self, show_secrets: bool = False) -> auto.UpdateSummary:  # noqa: FBT001, FBT002 - the SDK's signature
        del show_secrets
        return auto.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")

    def every_output(self) -> dict[str, Any]:
        """Read the stack's outputs, secrets included."""
        return dict(json.loads(self.pulumi("stack", "output", "--json", "--show-secrets")))

    def pulumi(self, *arguments: str, text: str = "") -> str:
        """Run one command of the engine on this stack, with a text for it to read."""
        return cast(_Workspace, self.workspace).pulumi(*arguments, "--stack", self.name, text=text)


class _Workspace(auto.LocalWorkspace):
    """Open stacks without making any of them the folder's current one: that file is shared by all runs."""

    def create_stack(self, stack_name: str) -> None:
        self.pulumi("stack", "init", stack_name, "--no-select")

    def select_stack(self, stack_name: str) -> None:
        self.pulumi("stack", "--stack", stack_name, "--show-name")

    def pulumi(self, *arguments: str, text: str = "") -> str:
        """Run one command of the engine in the project folder, and give what it printed."""
        env = {"PULUMI_HOME": self.pulumi_home or "", **self.env_vars}
        return cast(Engine, self.pulumi_command).run(list(arguments), self.work_dir, env, text=text).stdout


def _environment(folder: Path) -> dict[str, str]:
    """Give what the engine and its plugins need to know."""
    return {
        "MCTL_HOME": home(),
        "PATH": os.pathsep.join([served_plugins.path_prefix(), os.environ.get("PATH", "")]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SUPPRESS_NEO_LINK": "true",
        "PULUMI_OPTION_REMOVE_BACKUPS": "true",  # old checkpoints hold the removed stack's keys
        state_files.VARIABLE: state_files.backend(folder),
    }


def _install_official(root: Path) -> None:
    auto.PulumiCommand.install(root=str(root))
