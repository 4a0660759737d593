"""Previews of stacks as text for a terminal and as the body of a comment on a pull request."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from cli.output import table
from infra.stacks.previews import Preview, Touched
from infra.stacks.steps import Change

SIGNS = {"create": "+", "update": "~", "restart": "!", "replace": "+-", "delete": "-", "": "?"}
SHARED = "(shared)"
# GitHub takes 65,536 characters in a comment; whoever posts it adds a few of its own.
# Source: https://docs.github.com/en/rest/issues/comments
LONGEST = 64_000
LONGEST_ERRORS = 16_000
LONGEST_WHY = 200
HEADER = "| Stack | Machine | | What happens | Because of |\n|---|---|---|---|---|\n"


def text(previews: Sequence[Preview], *, diff: bool) -> str:
    """Write one table: a line for each machine, and below it what is touched of it. diff: and the values."""
    if not any(preview.machines or preview.error for preview in previews):
        return "no changes\n"
    rows: list[Sequence[str]] = [("STACK", "MACHINE", "", "WHAT HAPPENS")]
    below: list[list[str]] = [[]]
    for preview in previews:
        for machine in preview.machines:
            rows.append((preview.stack, machine.name or SHARED, SIGNS[machine.action], _effect(machine)))
            below.append(_details(machine, diff=diff))
        if preview.error:
            rows.append((preview.stack, "", "", "could not be previewed"))
            below.append([])
        elif preview.unchanged or not preview.machines:
            rows.append((preview.stack, _count(preview.unchanged, "machine"), "", "unchanged"))
            below.append([])
        if preview.mend and not preview.error:
            below[-1].append(f"  mend: {preview.mend}")
    lines = table(rows).splitlines()
    written = "".join(f"{line}\n" for row, more in zip(lines, below, strict=True) for line in (row, *more))
    return written + _total(previews)


def markdown(previews: Sequence[Preview], *, diff: bool) -> str:
    """Write the body of a comment: a table of machines, then each one's resources, folded.

    What is too long for a forge is left out by whole machines, and the text says of how many.
    """
    machines = [(preview.stack, machine) for preview in previews for machine in preview.machines]
    head = f"### {_headline(previews)}\n\n"
    errors = _errors(previews)
    rows = [_row(stack, machine) for stack, machine in machines]
    shown = _fitting(rows, LONGEST - len(head) - len(errors) - len(HEADER) - 2 * LONGEST_WHY)
    body = head + (f"{HEADER}{''.join(shown)}\n" if shown else "")
    if len(shown) < len(rows):
        body += f"… and {_count(len(rows) - len(shown), 'more machine')}: too many for one comment.\n\n"
    body += "".join(f"{line}\n" for line in _total(previews).splitlines(keepends=True))
    body += _unchanged(previews) + _mends(previews) + errors
    details = [_folded(stack, machine, diff=diff) for stack, machine in machines]
    room = LONGEST - len(body) - LONGEST_WHY
    kept = _fitting(details, room)
    body += "".join(kept)
    if len(kept) < len(details):
        body += f"\nThe details of {_count(len(details) - len(kept), 'machine')} are too long for this comment.\n"
    return body


def _headline(previews: Sequence[Preview]) -> str:
    failed = sum(bool(preview.error) for preview in previews)
    changed = sum(bool(preview.machines) for preview in previews)
    said = [f"{changed} of {_count(len(previews), 'stack')} would change"] if changed else []
    said += [f"{_count(failed, 'stack')} could not be previewed"] if failed else []
    return ", ".join(said) or "No changes"


def _effect(machine: Touched) -> str:
    price = "" if machine.price is None else f", {_dollars(machine.price)}"
    return (machine.effect or "drifted") + price


def _total(previews: Sequence[Preview]) -> str:
    known = [preview.price for preview in previews if preview.price is not None]
    return f"Price, as far as it is known: {_dollars(sum(known))}\n" if known else ""


def _dollars(price: float) -> str:
    return f"{'-' if price < 0 else '+'}${abs(price):,.2f}/month"


def _details(machine: Touched, *, diff: bool) -> list[str]:
    lines = [f"  ?  {drift.kind} {drift.resource}: {drift.what}" + _mend(drift.mend) for drift in machine.drift]
    for change in machine.resources:
        why = f"  ({', '.join(change.reasons)})" if change.reasons else ""
        lines.append(f"  {SIGNS[change.op]:<2} {change.op:<8} {change.kind} {change.resource}{why}")
        lines += [f"       {line}" for line in _lines(change)] if diff else []
    return lines


def _mend(mend: str) -> str:
    return f" (mend: {mend})" if mend else ""


def _lines(change: Change) -> Iterator[str]:
    for difference in change.differences:
        yield f"{difference.property}:"
        yield from (f"{line[:2]}  {line[2:]}" for line in difference.lines)


def _row(stack: str, machine: Touched) -> str:
    why = ", ".join(machine.reasons)
    why = why if len(why) <= LONGEST_WHY else f"{why[:LONGEST_WHY]}…"
    cells = (stack, machine.name or SHARED, SIGNS[machine.action], _effect(machine), why)
    return f"| {' | '.join(map(_cell, cells))} |\n"


def _folded(stack: str, machine: Touched, *, diff: bool) -> str:
    lines = [line.removeprefix("  ") for line in _details(machine, diff=False)]
    body = _fenced(lines, "")
    if diff:
        values = [line for change in machine.resources for line in (f"@@ {change.resource}", *_lines(change))]
        body += _fenced(values, "diff") if len(values) > len(machine.resources) else ""
    title = html.escape(f"{stack} / {machine.name or SHARED}")
    return f"<details><summary>{title}</summary>\n\n{body}\n</details>\n"


def _errors(previews: Sequence[Preview]) -> str:
    failed = [preview for preview in previews if preview.error]
    said = []
    for preview in failed:
        most = LONGEST_ERRORS // len(failed)
        error = (preview.error or "")[:most] + ("…" if len(preview.error or "") > most else "")
        lines = [*error.splitlines(), *([f"hint: {preview.mend}"] if preview.mend else [])]
        said.append(f"**{_cell(preview.stack)}** could not be previewed:\n\n{_fenced(lines, '')}\n")
    return "".join(said)


def _unchanged(previews: Sequence[Preview]) -> str:
    quiet = [f"{_cell(preview.stack)}: {_count(preview.unchanged, 'machine')}" for preview in previews]
    said = [line for line, preview in zip(quiet, previews, strict=True) if not preview.error and preview.unchanged]
    line = f"Unchanged: {', '.join(said)}" if said else ""
    return f"{line[: LONGEST_ERRORS // 2]}\n\n" if line else ""


def _mends(previews: Sequence[Preview]) -> str:
    said = [f"{_cell(each.stack)}: `{each.mend}`" for each in previews if each.mend and not each.error]
    return f"To mend it: {'; '.join(said)[: LONGEST_ERRORS // 2]}\n\n" if said else ""


def _fitting(parts: Sequence[str], room: int) -> list[str]:
    """Take parts from the first on, as many as have room."""
    kept: list[str] = []
    for part in parts:
        room -= len(part)
        if room < 0:
            break
        kept.append(part)
    return kept


def _fenced(lines: Sequence[str], language: str) -> str:
    """Quote lines as they are, in a fence that none of them ends."""
    fence = "```"
    while any(fence in line for line in lines):
        fence += "`"
    return f"{fence}{language}\n" + "".join(f"{line}\n" for line in lines) + f"{fence}\n"


def _cell(value: str) -> str:
    return html.escape(value, quote=False).replace("|", "\\|").replace("\n", " ")


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
