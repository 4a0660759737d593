"""mctl completion: print what makes a shell complete mctl's command lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

FOLDER = Path(__file__).parents[1] / "completions"


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish", "powershell"], typer.Argument(help="The shell to print it for")],
) -> None:
    """Print what makes a shell complete verbs, options, their values, and the names of machines and stacks.

    Example: `source <(mctl completion bash)`
    """
    typer.echo((FOLDER / f"mctl.{shell}").read_text(), nl=False)
