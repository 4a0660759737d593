"""All machines of a project on one more computer: from a clone of it, or from its backend's URL alone."""

from __future__ import annotations

from pathlib import Path

from infra.components import drivers
from infra.errors import PreCreateError, StackError, UsageError
from infra.stacks import docker_context, passphrase, project, records, shared, state_files
from infra.stacks.backends import check_url
from infra.stacks.home import home
from infra.stacks.machines import keep_records
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.store import Stack
from infra.stacks.store.backend import Backend


def attach(url: str, secret: str, report: Report) -> list[Record]:
    """Write a record and a context for every machine that the backend knows of, and forget what it knows no more.

    url: of the backend; empty where the project at hand names it. secret: the passphrase of the stacks, to be kept
    where this computer has none. Raises UsageError where the URL is not the project's, PassphraseError, and
    PreCreateError for a backend that does not answer.
    """
    folder = _project(url, report)
    backend = Backend(folder, state_files.backend(folder), report)
    variables = {passphrase.VARIABLE: secret} if secret else {}
    found, kept = backend.stacks(), []
    for stack in found:
        _declare(folder, stack, backend, report)
        away = [name for name in _local(folder, stack) if not records.exists(name)]
        if away:
            report(Progress(away[0], "is a machine of another computer's own: left out", notice=True))
            continue
        kept += keep_records(Stack(folder, stack, report, read=True, variables=variables), report)
    if secret:
        passphrase.keep(secret)
    providers = {project.secrets_provider(folder, stack) for stack in found}
    if shared.is_shared(folder) and len(providers) == 1 and any(providers):
        project.set_secrets_provider(folder, *providers)
    for stack in _recorded(folder) - set(found):
        _forget(folder, stack)
    return kept


def _project(url: str, report: Report) -> Path:
    """Find the project, or make mctl's home the one at the URL."""
    folder = project.find_project()
    here = state_files.backend(folder)
    if not url or url == here:
        return folder
    check_url(url)
    if folder != Path(home()):
        raise UsageError(f"the project in {folder} has its stacks at {here}", mend="mctl attach, in another folder")
    if project.stacks(folder):
        raise UsageError(
            f"mctl's home has machines of its own, at {here}",
            mend=f"mctl backend set '{url}' takes them along; or export MCTL_HOME=FOLDER, and attach there",
        )
    try:
        Backend(folder, url, report).stacks()
    except StackError as error:
        raise PreCreateError(f"{url} can't be used: {error.message}", mend="mctl attach --help") from None
    project.set_backend(folder, url)
    return folder


def _declare(folder: Path, stack: str, backend: Backend, report: Report) -> None:
    """Write the file of a stack where there is none, or where no Git keeps it."""
    if shared.is_shared(folder):
        shared.catch_up(folder, stack, lambda: backend.declaration(stack))
    elif not project.stack_exists(folder, stack) and (text := backend.declaration(stack)):
        report(Progress("", f"Pulumi.{stack}.yaml is not here: taking it from the last update", notice=True))
        project.write_text(folder, stack, text)


def _local(folder: Path, stack: str) -> list[str]:
    providers = project.providers(folder, stack)
    return [name for name, provider in providers.items() if drivers.load(provider).is_local]


def _recorded(folder: Path) -> set[str]:
    """List the stacks of a project that have a record here, or a file that came with one."""
    known = (records.load(name) for name in records.names())
    return {record.stack for record in known if record.project == str(folder)}


def _forget(folder: Path, stack: str) -> None:
    """Forget the machines of a stack that is no more."""
    for name in records.of_stack(stack, str(folder)):
        docker_context.remove(name)
        records.remove(name)
    shared.forget(folder, stack)
