"""mctl preview: what an `up` would do."""

from __future__ import annotations

from cli.options import Diff, ExitCode, Json, Markdown, StackNames


def preview(
    names: StackNames = None,
    *,
    json: Json = False,
    markdown: Markdown = False,
    diff: Diff = False,
    exit_code: ExitCode = False,
) -> None:
    """Say what `mctl up` would do, without doing it: no lock is taken and no host is touched.

    Example: `mctl preview prod`
    """
    from cli import previews
    from infra.stacks.previews import preview as look

    previews.show(names, look, form=previews.form(json=json, markdown=markdown), diff=diff, exit_code=exit_code)
