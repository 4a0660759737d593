"""What pipelines do: a preview as a comment on a request, an `up` on merge, drift as an issue.

The comment carries, where nobody reads it, a digest of what it shows of each stack: the `up` on merge looks there.
"""

from __future__ import annotations

import json
import os
import re
from functools import partial
from pathlib import Path

import typer

from cli import preview_text, previews, side_by_side
from cli.forges import Forge, Text
from cli.output import say
from cli.progress import progress
from infra.errors import MctlError, UsageError
from infra.stacks import as_previewed, project, touched
from infra.stacks import previews as looks
from infra.stacks.previews import Preview
from infra.stacks.progress import Report

FORK = (
    "This request comes from a fork. Forks get no secrets, so nothing was previewed. A member of the project can "
    "read the change, and push it to a branch here."
)
NONE = "### No stack is touched\n"
TITLE = "Machines are not as they are declared"
DIGESTS = re.compile(r"^<!-- mctl \w+ of .*?: (\{.*\}) -->\n")


def preview(forge: Forge) -> int:
    """Preview the stacks that a request touches, and say it in the request. Gives the exit code."""
    request = _number(forge.request, "a pull or merge request")
    if forge.from_fork:
        _summary(FORK)
        return 0
    folder, files = _changed(forge, request)
    stacks, gone = touched.stacks(folder, files), touched.gone(folder, files)
    marker = _marker("preview", forge, folder)
    known = forge.comment(request, marker)
    if not stacks and not gone and not known:
        typer.echo("no stack is touched")
        return 0
    found = previews.look_at(stacks, looks.preview) if stacks else []
    digests = {each.stack: _digest(folder, each) for each in found if not each.error}
    body = preview_text.markdown(found, diff=False) if stacks else NONE
    body += "".join(
        f"\n`Pulumi.{stack}.yaml` is deleted: its machines stay. Take them out of it first, and delete it then.\n"
        for stack in gone
    )
    _summary(body)
    typer.echo(forge.write_comment(request, f"{marker} {json.dumps(digests)} -->\n{body}", known))
    return int(any(each.error for each in found))


def up(forge: Forge) -> int:
    """Bring the stacks that a merged request touched to what they declare, if that is what was previewed.

    Gives the exit code. Raises MctlError for a commit that came with no request, and for one whose comment is missing.
    """
    request = _number(forge.merged(), "a commit that was merged by a request; run mctl up by hand")
    folder, files = _changed(forge, request)
    stacks = touched.stacks(folder, files)
    if not stacks:
        typer.echo("no stack is touched")
        return 0
    digests = _digests(forge.comment(request, _marker("preview", forge, folder)))
    code = 0
    with progress(live=False) as report:
        for stack, error in side_by_side.run([[stack] for stack in stacks], partial(_up, digests), report):
            if isinstance(error, MctlError):
                say(f"Error: stack {stack}", error.message, error.mend)
                code = code or error.exit_code
            else:
                typer.echo(f"Stack {stack} is what it declares")
    return code


def drift(forge: Forge) -> int:
    """Look for drift in every stack, and keep one issue of it, open as long as there is any. Gives the exit code."""
    folder = project.find_project()
    marker = _marker("drift", forge, folder)
    known = forge.issue(marker)
    found = previews.look_at(project.stacks(folder), looks.drift)
    if any(each.error or each.machines for each in found):
        body = preview_text.markdown(found, diff=False)
        _summary(body)
        typer.echo(forge.write_issue(TITLE, f"{marker} {{}} -->\n{body}", known))
    elif known:
        forge.close_issue(known)
        typer.echo(f"no drift any more: {known.url} is closed")
    else:
        typer.echo("no drift")
    return int(any(each.error for each in found))


def _digest(folder: Path, found: Preview) -> str:
    changes = [change for machine in found.machines for change in machine.resources]
    return as_previewed.digest(folder, found.stack, changes)


def _up(digests: dict[str, str], stack: str, report: Report) -> None:
    if stack not in digests:
        raise MctlError("its preview failed, or there was none", mend=f"mctl preview {stack}, then mctl up {stack}")
    as_previewed.up(stack, digests[stack], report)


def _number(request: int | None, what: str) -> int:
    if request is None:
        raise UsageError(f"this pipeline is not that of {what}")
    return request


def _changed(forge: Forge, request: int) -> tuple[Path, list[str]]:
    """Give the project's folder, and the files in it that a request changes, relative to it."""
    folder = project.find_project()
    inside = [Path(forge.root, file) for file in sorted(forge.files(request))]
    return folder, [file.relative_to(folder).as_posix() for file in inside if file.is_relative_to(folder)]


def _marker(what: str, forge: Forge, folder: Path) -> str:
    """Begin the line that we know our texts by: one for each project of a repository."""
    return f"<!-- mctl {what} of {os.path.relpath(folder, forge.root)}:"


def _digests(comment: Text | None) -> dict[str, str]:
    if not comment or not (found := DIGESTS.match(comment.body)):
        raise MctlError("the request has no comment with a preview", mend="mctl preview, then mctl up, by hand")
    return dict(json.loads(found[1]))


def _summary(text: str) -> None:
    """Say it in the job's log, and on its page where there is one."""
    typer.echo(text)
    page = os.environ.get("GITHUB_STEP_SUMMARY")
    if page:
        with open(page, "a", encoding="utf-8") as file:
            file.write(f"{text}\n")
