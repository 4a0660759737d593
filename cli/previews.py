"""Previews of several stacks at once; `preview` and `drift` differ in what they look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from cli import preview_text, side_by_side
from cli.output import as_json, say
from cli.progress import progress
from infra.errors import Interrupted, MctlError, NotFoundError, RecordError, UsageError
from infra.stacks import lookup, machines
from infra.stacks.previews import Preview

if TYPE_CHECKING:
    from infra.stacks.progress import Report

CHANGES = 10
TEXT, JSON, MARKDOWN = "text", "json", "markdown"
Look = Callable[[str, "Report"], Preview]


def form(*, json: bool, markdown: bool) -> str:
    """Choose how to write. Raises UsageError for both."""
    if json and markdown:
        raise UsageError("--json and --markdown exclude each other", mend="give one of them")
    return JSON if json else MARKDOWN if markdown else TEXT


def show(names: Sequence[str] | None, look: Look, *, form: str, diff: bool, exit_code: bool) -> None:
    """Look at each stack, named by itself or by a machine in it, and print what was found. One that fails hides none.

    exit_code: end with 10 where anything differs, and with 1 where a stack failed; without it, with the first failure's
    own code. Raises a lone stack's failure where text is asked for.
    """
    found = _look(list(dict.fromkeys(names or [lookup.default()])), look, alone=form == TEXT)
    previews = [outcome for outcome, _ in found]
    typer.echo(_written(previews, form, diff=diff), nl=False)
    errors = [error for _, error in found if error]
    for preview, error in found:
        if error:
            say(f"Error: stack {preview.stack}", error.message, error.mend)
    if any(isinstance(error, Interrupted) for error in errors):
        raise typer.Exit(Interrupted.exit_code)
    if errors:
        raise typer.Exit(1 if exit_code else errors[0].exit_code)
    if exit_code and any(preview.machines for preview in previews):
        raise typer.Exit(CHANGES)


def look_at(stacks: Sequence[str], look: Look) -> list[Preview]:
    """Look at stacks side by side; one that fails hides none of the others."""
    return [preview for preview, _ in _look(stacks, look, alone=False)]


def _written(previews: Sequence[Preview], form: str, *, diff: bool) -> str:
    if form == JSON:
        return as_json([preview.to_json() for preview in previews])
    return (preview_text.markdown if form == MARKDOWN else preview_text.text)(previews, diff=diff)


def _look(names: Sequence[str], look: Look, *, alone: bool) -> list[tuple[Preview, MctlError | None]]:
    """Look at every stack once, side by side, in the order asked. alone: a lone stack's failure is raised."""
    found: dict[str, Preview | MctlError] = {}
    stacks: dict[object, str] = {}
    for name in names:
        try:
            stacks.setdefault(machines.locate(name), name)
        except (NotFoundError, RecordError) as error:
            found[name] = error
    lone = len(names) == 1
    order = [name for name in names if name in (*found, *stacks.values())]
    groups = [[name] for name in stacks.values()]
    if groups:
        found |= dict(side_by_side.run(groups, lambda name: _one(look, name, live=lone)))
    failure = found[order[0]]
    if lone and alone and isinstance(failure, MctlError):
        raise failure
    return [_kept(name, found[name]) for name in order]


def _one(look: Look, name: str, *, live: bool) -> Preview:
    with progress(live=live) as report:
        return look(name, report if live else lambda step: report(replace(step, machine=step.machine or name)))


def _kept(name: str, outcome: Preview | MctlError) -> tuple[Preview, MctlError | None]:
    return (Preview.failed(name, outcome), outcome) if isinstance(outcome, MctlError) else (outcome, None)
