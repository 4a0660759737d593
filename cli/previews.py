"""Previews of several stacks at once; `preview` and `drift` differ in what they look at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

import typer

from cli import preview_text, side_by_side
from cli.output import as_json, say
from cli.progress import naming, progress
from infra.errors import Interrupted, MctlError, NotFoundError, RecordError, UsageError
from infra.stacks import fleets, lookup, served_plugins
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
    order = []
    for name in names:
        try:
            fleet = fleets.fleet(name)
        except (NotFoundError, RecordError) as error:
            found[name] = error
            order.append(name)
            continue
        whole = len(fleet.stacks) > 1
        order += [stacks.setdefault((fleet.folder, stack), stack if whole else name) for stack in fleet.stacks]
    order = list(dict.fromkeys(order))
    lone = len(order) == 1
    groups = [[name] for name in stacks.values()]
    if groups:
        with progress(live=lone) as report, nullcontext() if lone else served_plugins.shared():
            found |= dict(side_by_side.run(groups, partial(_one, look, lone=lone), report))
    failure = found[order[0]]
    if lone and alone and isinstance(failure, MctlError):
        raise failure
    return [_kept(name, found[name]) for name in order]


def _one(look: Look, name: str, report: Report, *, lone: bool) -> Preview:
    """Look at one stack; among others each step says whose it is."""
    return look(name, report if lone else naming(name, report))


def _kept(name: str, outcome: Preview | MctlError) -> tuple[Preview, MctlError | None]:
    return (Preview.failed(name, outcome), outcome) if isinstance(outcome, MctlError) else (outcome, None)
