"""mctl ci: what a pipeline of GitHub or GitLab does with a project's stacks."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class What(StrEnum):
    """What the pipeline is for."""

    preview = "preview"
    up = "up"
    drift = "drift"


def ci(what: Annotated[What, typer.Argument(help="preview: on a request; up: on merge; drift: on a schedule")]) -> None:
    """Preview in a pull or merge request, do just that on merge, report drift in an issue.

    The preview is one comment, edited in place. On merge nothing is done but what it showed. Drift is one issue,
    closed when there is none. Tokens come from the environment: GITHUB_TOKEN or GITLAB_TOKEN.

    Example: `mctl ci preview`
    """
    from cli import forges, pipelines

    work = {What.preview: pipelines.preview, What.up: pipelines.up, What.drift: pipelines.drift}[what]
    raise typer.Exit(work(forges.here()))
