"""The one gate to the Pulumi engine: a stack, opened, changed and read.

A stack that exists is only ever opened; only `make=True` makes one. Engine processes get signals from us alone, so that
a Ctrl-C always ends with the lock released and the state saved.
"""

from __future__ import annotations

import json
import random
import time
import warnings
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from pulumi import automation as auto
from pulumi.automation._stack import StackInitMode

from infra.errors import MctlError, NotFoundError, StackLockedError, UsageError
from infra.machine import MachineSpec
from infra.stacks import (
    locks,
    mistakes,
    passphrase,
    program,
    project,
    pulumi_program,
    served_plugins,
    shared,
    state_files,
    steps,
)
from infra.stacks.home import home
from infra.stacks.progress import MACHINE, Progress, Report, Watcher
from infra.stacks.steps import Change, Drift
from infra.stacks.store.process import CUT_OFF, PASSING, Engine
from infra.stacks.store.state import descendants, has_begun, in_clear, is_made
from infra.stacks.store.workspace import Opened, Workspace, environment, install_official

# It warns of an event stream that its engine's death cut off: the failure itself is told, and once is enough.
warnings.filterwarnings("ignore", module=r"pulumi\.automation\.")

T = TypeVar("T")
CUT_OFF_TRIES, CUT_OFF_SECONDS = 6, 0.3
# The most seconds before each other try.
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
        self.folder, self.name, self.report = folder, name, report
        self._alone = None if read else locks.one_run(folder, name, self._say)
        found = pulumi_program.find_pulumi(self._say, install_official)
        served_plugins.ensure(found.path, Path(home("pulumi")), self._say, self._notice)
        self._engine = Engine(found.path, found.version)
        if make:
            state_files.require_space(folder)
        self._refused: MctlError | None = None
        self._instead: dict[str, MachineSpec] = {}
        self._without: Collection[str] = ()
        self._made: dict[str, dict[str, Any]] | None = None
        workspace = Workspace(
            work_dir=str(folder),
            pulumi_home=home("pulumi"),
            program=self._run_program,
            env_vars=environment(folder) | self._opening(variables or {}, make=make),
            secrets_provider=project.secrets_provider(folder, name),
            pulumi_command=self._engine,
        )
        with self._failures(f"mctl ls, or mctl create {name}"):
            self._stack = self._mended(lambda: self._open(workspace, make=make))
            if not variables:
                self._catch_up()

    def _open(self, workspace: Workspace, *, make: bool) -> Opened:
        if make and not project.stack_exists(self.folder, self.name):
            with suppress(auto.StackAlreadyExistsError):
                return Opened(self.name, workspace, StackInitMode.CREATE)
        try:
            return Opened(self.name, workspace, StackInitMode.SELECT)
        except auto.StackNotFoundError:
            if not make:
                raise
            return Opened(self.name, workspace, StackInitMode.CREATE)

    def _opening(self, given: Mapping[str, str], *, make: bool) -> dict[str, str]:
        """Give the variables that open the stack's secrets, and those of this run; a key elsewhere needs none of ours.

        A passphrase that is made here would open nothing of what others share.
        """
        if passphrase.VARIABLE in given or project.secrets_provider(self.folder, self.name):
            return dict(given)
        return passphrase.environment(make=make and not shared.is_shared(self.folder)) | dict(given)

    def _catch_up(self) -> None:
        shared.catch_up(self.folder, self.name, self._published)

    def _published(self) -> str:
        return shared.published(self._stack.pulumi, self.folder, self.name)

    def _say(self, line: str) -> None:
        self.report(Progress("", line))

    def _notice(self, line: str) -> None:
        self.report(Progress("", line, notice=True))

    def up(
        self, mend: str, renew: Sequence[str] = (), without: Collection[str] = (), plan: Path | None = None
    ) -> Mapping[str, Mapping[str, float]]:
        """Bring the stack to what it declares; give the seconds of each machine's phases.

        renew: names of keys to make anew, with all that is made of them, and of commands to run again. without:
        machines that are to go. plan: what a preview wrote; whatever else would be done fails.
        """
        self._without = without
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
        shared.note(self.folder, self.name)
        return watcher.phases

    def refresh(self) -> None:
        """Take over into the stack state what is really there; what was begun and never seen again is dropped."""
        watcher, self._made = self._watcher(), None
        with self._failures(f"mctl refresh {self.name}", watcher):
            self._patiently(lambda: self._stack.refresh(on_event=watcher, color="never", clear_pending_creates=True))
        shared.note(self.folder, self.name)

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
        """Remove everything in the stack, or machines with what depends on them. machine: every name that they have."""
        watcher = self._watcher()
        if not machine:
            mistakes.refuse_other_program(self.folder, self.name)
        urns = descendants(self._state(), machine) if machine else None
        if urns == []:
            return
        with self._failures(f"mctl rm {machine[0] if machine else self.name}", watcher):
            self._patiently(
                lambda: self._stack.destroy(target=urns, target_dependents=bool(urns), on_event=watcher, color="never")
            )

    def delete(self) -> None:
        """Remove the empty stack itself, with its backups."""
        with self._failures(f"mctl rm {self.name}"):
            self._unlocked(lambda: self._stack.workspace.remove_stack(self.name))
        state_files.sweep(self.folder, self.name)

    def settle(self) -> None:
        """Find what an interrupted run began to make, and take it into the stack state, or drop it where it is not."""
        if has_begun(self._state()):
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
        return [machine for name, machine in made.items() if name in declared and is_made(machine)]

    def swarm(self) -> dict[str, str]:
        """Read the tokens and the unlock key of the stack's Swarm, in clear."""
        with self._failures(f"mctl refresh {self.name}"):
            return dict(self._mended(self._stack.every_output).get("swarm", {}))

    def made_so_far(self) -> list[dict[str, Any]]:
        """Read the outputs of each machine that is whole in the stack state, also after a run that failed."""
        declared = project.machines(self.folder, self.name)
        resources = self.deployment()["deployment"].get("resources") or []
        made = [in_clear(each.get("outputs") or {}) for each in resources if each["type"] == MACHINE]
        return [machine for machine in made if machine.get("name") in declared and is_made(machine)]

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

    def publish(self) -> None:
        """Leave the stack's config in the backend's history, for computers without its file; nothing else changes."""
        root = f"urn:pulumi:{self.name}::{project.PROJECT}::pulumi:pulumi:Stack::{project.PROJECT}-{self.name}"
        command = ["refresh", "--yes", "--skip-preview", "--skip-pending-creates", "--target", root]
        with self._failures(AGAIN):
            self._unlocked(lambda: self._stack.pulumi(*command))
        shared.note(self.folder, self.name)

    def forget(self) -> None:
        """Take the stack out of its backend, whatever it holds; what it stands for and its file stay."""
        with self._failures(AGAIN):
            self._unlocked(lambda: self._stack.pulumi("stack", "rm", "--yes", "--force", "--preserve-config"))

    def re_encrypt(self, provider: str) -> None:
        """Have the stack's secrets encrypted by another provider, or with a new key of the same."""
        with self._failures(AGAIN), project.alone(self.folder, self.name):
            self._unlocked(lambda: self._stack.pulumi("stack", "change-secrets-provider", provider))

    def unlock(self) -> None:
        """Clear the stack's locks, whoever holds them."""
        with self._failures(AGAIN):
            self._stack.cancel()

    def has_resources(self) -> bool:
        """Tell whether the stack holds anything."""
        return bool(self._state().get("resources"))

    def ids(self) -> tuple[set[str], bool]:
        """Give the providers' ids of all that the stack state has, also of what is about to be deleted.

        And tell whether the making of more has begun, and not ended: such has no id yet.
        """
        state = self._state()
        return {resource["id"] for resource in state.get("resources") or [] if resource.get("id")}, has_begun(state)

    def _resources(self, *kinds: str) -> list[dict[str, Any]]:
        return [resource for resource in self._state().get("resources") or [] if resource["type"] in kinds]

    def _state(self) -> dict[str, Any]:
        with self._failures(f"mctl refresh {self.name}"):
            return dict(self._mended(self._stack.export_stack).deployment or {})

    def _watcher(self, report: Report | None = None) -> Watcher:
        return Watcher(list(project.machines(self.folder, self.name)), report or self.report)

    def _patiently(self, work: Callable[[], object]) -> None:
        """Change the stack, and again where a provider had no time for it: what is made already stays made."""
        for longest in PASSING_SECONDS:
            try:
                return self._unlocked(work)
            except auto.CommandError as error:
                if self._engine.interrupted or not PASSING.search(str(error)):
                    raise
            seconds = longest * random.uniform(0.5, 1)  # noqa: S311 - stacks side by side must not all come back at once
            self._say(f"The provider has too much to do: trying again in {seconds:.1f} s")
            time.sleep(seconds)
        return self._unlocked(work)

    def _unlocked(self, work: Callable[[], object]) -> None:
        """Run, and again after a lock: a killed run's is cleared, and another's waited for while patience lasts."""
        end: float | None = None
        told = ""
        while True:
            try:
                self._mended(work)
                return
            except auto.ConcurrentUpdateError as error:
                by = _holders(error)
                if locks.abandoned(str(error)):
                    self._say("Clearing the lock of a run that was killed")
                    self._stack.cancel()
                    continue
                end = end or time.monotonic() + locks.patience
                if time.monotonic() >= end:
                    raise
                if by != told:
                    self._say(f"Waiting for {by}")
                    told = by
            time.sleep(locks.POLL_SECONDS)
            self._catch_up()

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
            if self._alone:
                shared.require_current(self.folder, self.name, self._published)
            mistakes.refuse_other_program(self.folder, self.name)
            mistakes.check(self.folder, self.name)
            program.machines(str(self.folder), self._keep_made, self._instead, self._without)
        except MctlError as error:
            self._refused = error
            if isinstance(error, UsageError) and error.setting:
                error.message = f"{project.place(self.folder, self.name, error.setting)}: {error.message}"
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
            mend = locks.DEAD.format(self.name) if locks.are_elsewhere(str(error)) else locks.WAIT
            raise StackLockedError(f"stack {self.name} is locked by {_holders(error)}", mend=mend) from None
        except auto.CommandError as error:
            if self._refused:
                raise self._refused from None
            raise watcher.failure(str(error), mend, interrupted=self._engine.interrupted) from error
        except KeyboardInterrupt:
            raise watcher.failure("", mend, interrupted=True) from None


def _holders(error: Exception) -> str:
    return ", ".join(locks.holders(str(error))) or "another run"
