"""Where a project's stack states are, and how all of them get to another place, or under another key.

Nothing is taken away before its copy was read back and found the same. What is under way stands in a note in mctl's
home, so that the same command goes on from wherever it was stopped, by a kill too.
Source: https://www.pulumi.com/docs/iac/concepts/state-and-backends/
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from infra.errors import AlreadyError, MctlError, NameTakenError, PreCreateError, StackError, UsageError
from infra.stacks import passphrase, project, shared, state_files
from infra.stacks.home import home
from infra.stacks.machines import keep_records
from infra.stacks.owner import owner
from infra.stacks.progress import Progress, Report
from infra.stacks.store import AGAIN, Stack
from infra.stacks.store.backend import Backend

SCHEMES = ("s3", "gs", "azblob", "postgres", "file")
PROVIDERS = ("awskms", "gcpkms", "azurekeyvault", "hashivault")


def show(folder: Path) -> dict[str, Any]:
    """Say where the states of a project are, what says so, what encrypts its secrets, and which stacks it declares."""
    named = "PULUMI_BACKEND_URL" if os.environ.get(state_files.VARIABLE) else str(folder / "Pulumi.yaml")
    stacks = project.stacks(folder)
    providers = {project.secrets_provider(folder, stack) or project.BY_PASSPHRASE for stack in stacks or [""]}
    return {
        "url": state_files.backend(folder),
        "set_by": named if project.backend(folder) or state_files.VARIABLE in os.environ else "default",
        "secrets_providers": sorted(providers),
        "project": str(folder),
        "stacks": stacks,
    }


def check_url(url: str) -> None:
    """Raise UsageError for what is no backend of ours, or would put a password into a file that people share."""
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        known = ", ".join(f"{scheme}://" for scheme in SCHEMES)
        raise UsageError(f"{url} is no backend: it must begin with one of {known}", mend="mctl backend set --help")
    if parts.password or "password" in parse_qs(parts.query):
        raise UsageError(
            "the URL has a password, and would be written into Pulumi.yaml",
            mend="leave it out, and export PGPASSWORD=…, or keep it in ~/.pgpass",
        )


def check_provider(provider: str) -> None:
    """Raise UsageError for what can't encrypt a stack's secrets."""
    if provider != project.BY_PASSPHRASE and urlsplit(provider).scheme not in PROVIDERS:
        known = ", ".join([project.BY_PASSPHRASE, *(f"{scheme}://…" for scheme in PROVIDERS)])
        raise UsageError(f"{provider} is no secrets provider: it must be one of {known}")


def move(folder: Path, url: str, report: Report) -> list[str]:
    """Move every stack of a project to another backend, and give their names.

    Raises AlreadyError where they are there, NameTakenError for a stack of the same name there, PreCreateError for a
    backend that does not answer, StackLockedError, and StackError for what was changed under our hands: nothing of it
    is lost then.
    """
    here = state_files.backend(folder)
    if os.environ.get(state_files.VARIABLE):
        raise UsageError(
            f"{state_files.VARIABLE} is set, and counts for more than Pulumi.yaml", mend=f"unset {state_files.VARIABLE}"
        )
    check_url(url)
    note = _Note(folder, "move")
    if not note.facts and here == url:
        raise AlreadyError(f"the stacks are at {url} already")
    is_gone_on_with = bool(note.facts)
    _begin(folder, here, url, note, report)
    opened = {name: Stack(folder, name, report, variables=_at(note.facts["from"])) for name in _left(note, report)}
    copies = {}
    if here != url:
        for stack in opened.values():
            copies[stack.name] = _copy(stack, url, note, report)
        for stack in opened.values():
            _require_unchanged(stack, note)
        project.set_backend(folder, url)
    for name in note.facts["stacks"]:
        keep_records(copies.get(name) or Stack(folder, name, report, read=True), report)
        shared.note(folder, name)
    for stack in opened.values():
        if is_gone_on_with:
            _require_unchanged(stack, note)
        report(Progress("", f"Removing stack {stack.name} from {note.facts['from']}"))
        stack.forget()
    note.end()
    return sorted(note.facts["stacks"])


def re_encrypt(folder: Path, provider: str, report: Report) -> list[str]:
    """Have the secrets of every stack of a project encrypted by another provider; give the stacks' names.

    New stacks get it too. Raises StackError where it can't be used: the stack at hand stays as it was.
    """
    check_provider(provider)
    note = _Note(folder, "re-encrypt")
    if note.facts.get("to") != provider:
        note.finish_other(f"mctl backend set --secrets-provider '{note.facts.get('to')}'")
        note.facts = {"to": provider, "done": [], "files": {}}
    variables = passphrase.environment(make=True) if provider == project.BY_PASSPHRASE else {}
    for name in project.stacks(folder):
        if name in note.facts["done"]:
            continue
        before = note.facts["files"].get(name)
        if before:  # it was stopped between the file and the state, or in the file itself
            project.write_text(folder, name, before)
        elif (project.secrets_provider(folder, name) or project.BY_PASSPHRASE) == provider:
            continue
        stack = Stack(folder, name, report, variables=variables)
        note.facts["files"][name] = project.read_text(folder, name)
        note.write()
        report(Progress("", f"Encrypting the secrets of stack {name} anew"))
        _re_encrypt(stack, provider, note)
        note.facts["done"].append(name)
        note.write()
    project.set_secrets_provider(folder, provider)
    note.end()
    return list(note.facts["done"])


def _re_encrypt(stack: Stack, provider: str, note: _Note) -> None:
    try:
        secrets, state = stack.secrets(), _digest(stack.deployment())
        stack.re_encrypt(provider)
    except MctlError:
        project.write_text(stack.folder, stack.name, note.facts["files"].pop(stack.name))
        note.write()
        raise
    if (stack.secrets(), _digest(stack.deployment())) != (secrets, state):
        raise StackError(f"stack {stack.name} reads otherwise with its new key", mend=AGAIN)
    if stack.has_resources():
        stack.publish()


def _begin(folder: Path, here: str, url: str, note: _Note, report: Report) -> None:
    """Note what is to be moved, and make sure that nothing is in its way."""
    if note.facts.get("to") == url and here in (note.facts["from"], url):
        return
    if note.facts.get("from") != here:
        note.finish_other(f"mctl backend set '{note.facts.get('to')}'")
    if url.startswith("file://"):
        Path(folder, os.path.expanduser(unquote(urlsplit(url).path))).mkdir(mode=0o700, parents=True, exist_ok=True)
    stacks = Backend(folder, here, report).stacks()
    try:
        there = Backend(folder, url, report).stacks()
    except StackError as error:
        raise PreCreateError(f"{url} can't be used: {error.message}", mend="mctl backend set --help") from None
    for name in sorted(set(stacks) & set(there)):
        raise NameTakenError(f"there is a stack {name} at {url} already", mend="mctl attach, in a folder of that one's")
    note.facts = {"from": here, "to": url, "stacks": dict.fromkeys(stacks, "")}
    note.write()


def _left(note: _Note, report: Report) -> list[str]:
    """List the stacks that are still where they are moved from."""
    there = Backend(note.folder, note.facts["from"], report).stacks()
    return [name for name in note.facts["stacks"] if name in there]


def _copy(stack: Stack, url: str, note: _Note, report: Report) -> Stack:
    """Copy a stack, read the copy back, note what it holds, and give it."""
    report(Progress("", f"Copying stack {stack.name} to {url}"))
    folder, name = stack.folder, stack.name
    if not project.owner(folder, name):
        project.declare_settings(folder, name, {project.OWNER: owner(folder)})
    state = stack.deployment()
    copy = Stack(folder, name, report, make=True, variables=_at(url))
    if state["deployment"].get("resources"):
        copy.take_over(state)
        if _digest(copy.deployment()) != _digest(state):
            raise StackError(f"the copy of stack {name} is not what it was made from", mend=AGAIN)
        copy.publish()
    note.facts["stacks"][name] = _digest(state)
    note.write()
    return copy


def _require_unchanged(stack: Stack, note: _Note) -> None:
    if _digest(stack.deployment()) != note.facts["stacks"][stack.name]:
        raise StackError(
            f"stack {stack.name} was changed at {note.facts['from']} while it was moved, and stays there", mend=AGAIN
        )


def _at(url: str) -> Mapping[str, str]:
    return {state_files.VARIABLE: url}


def _digest(state: Mapping[str, Any]) -> str:
    """Digest what a state holds, secrets in clear; the engine drops what is empty as it likes."""
    held = {
        key: _without_empty((state.get("deployment") or {}).get(key)) for key in ("resources", "pending_operations")
    }
    return sha256(json.dumps(held, sort_keys=True).encode()).hexdigest()


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: kept for key, each in value.items() if (kept := _without_empty(each)) not in (None, {}, [], "")}
    return [_without_empty(each) for each in value] if isinstance(value, list) else value


class _Note:
    """What is under way with a project; kept until it is done."""

    def __init__(self, folder: Path, what: str) -> None:
        self.folder = folder
        name = sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self._file = Path(home("under-way"), f"{name}.{what}.json")
        self.facts: dict[str, Any] = json.loads(self._file.read_text()) if self._file.exists() else {}

    def finish_other(self, command: str) -> None:
        """Raise StackError where something else is under way."""
        if self.facts:
            raise StackError("an earlier change of the backend was stopped half-way", mend=command)

    def write(self) -> None:
        """Keep the facts, by one rename."""
        fresh = self._file.with_suffix(".tmp")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
            json.dump(self.facts, stream)
        fresh.replace(self._file)

    def end(self) -> None:
        """Drop the note."""
        self._file.unlink(missing_ok=True)
