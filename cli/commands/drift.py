"""mctl drift: what is otherwise in the world than it was made."""

from __future__ import annotations

from cli.options import Diff, ExitCode, Json, Markdown, StackNames


def drift(
    names: StackNames = None,
    *,
    json: Json = False,
    markdown: Markdown = False,
    diff: Diff = False,
    exit_code: ExitCode = False,
) -> None:
    """Say what is really otherwise than it was made, and what `mctl up` would do about it. Nothing is changed.

    Asks the providers, and looks at the hosts as `mctl check` does. It ends with the commands that mend it: what is
    otherwise at a provider is known to `mctl up` once `mctl refresh` has taken it over.

    Example: `mctl drift prod --exit-code`
    """
    from cli import previews
    from infra.stacks.previews import drift as look

    previews.show(names, look, form=previews.form(json=json, markdown=markdown), diff=diff, exit_code=exit_code)
