"""mctl shards: spread stacks over CI jobs."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.options import Json
from cli.output import as_json, table
from infra.stacks.shards import MOST

Jobs = Annotated[int, typer.Option(min=1, max=MOST, help="Jobs to spread them over, at most")]


def shards(*, jobs: Jobs = MOST, json: Json = False) -> None:
    """Spread the project's stacks over CI jobs, each about as many machines; as JSON, a matrix for GitHub Actions.

    Example: `mctl shards --jobs 4 --json`
    """
    from infra.stacks import project
    from infra.stacks.shards import spread as spread_stacks

    spread = spread_stacks(project.find_project(), jobs)
    if json:
        jobs_of = [
            {"job": number, "stacks": " ".join(shard.stacks), "machines": shard.machines}
            for number, shard in enumerate(spread, 1)
        ]
        typer.echo(as_json({"include": jobs_of}), nl=False)
        return
    rows = [(str(number), str(shard.machines), " ".join(shard.stacks)) for number, shard in enumerate(spread, 1)]
    typer.echo(table([("JOB", "MACHINES", "STACKS"), *rows]), nl=False)
