"""mctl init: begin a repository of machines."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from cli.create_options import Provider
from cli.driver_options import DEFAULT_PROVIDER
from cli.output import say

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Where it is to be; made if need be")]


def init(folder: Folder = Path(), *, provider: Provider = DEFAULT_PROVIDER) -> None:
    """Begin a repository of machines: a Pulumi project, a stack with one machine, and a pipeline.

    Nothing is made yet, and no file that is there is overwritten. `mctl up` and `pulumi up` both do what it declares.

    Example: `mctl init machines --provider aws`
    """
    from infra.stacks import new_project

    workflow = resources.files("cli").joinpath("templates", "github-workflow.yml").read_text(encoding="utf-8")
    for file in new_project.make(folder, provider, workflow):
        typer.echo(file)
    there = "" if folder == Path() else f"cd {folder} && "
    say("", f"Edit Pulumi.{new_project.STACK}.yaml", f"{there}mctl preview {new_project.STACK}")
