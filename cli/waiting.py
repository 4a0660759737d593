"""The option --wait of the verbs that change a stack: be patient with others who are changing it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer

from infra.errors import UsageError

FOREVER = "forever"
VERBS = (
    *("create", "import", "start", "stop", "restart", "kill", "set", "rename", "upgrade", "provision", "scale", "rm"),
    *("regenerate-certs", "up", "refresh"),
)
Wait = Annotated[
    str,
    typer.Option(
        metavar="[=SECONDS]", help="Wait while another run changes the same stack, for at most so many seconds"
    ),
]


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Give a bare `--wait` of a verb that has one its meaning, for an option's value can't be left off."""
    verb = next((argument for argument in argv if not argument.startswith("-")), None)
    return [f"--wait={FOREVER}" if word == "--wait" and verb in VERBS else word for word in argv]


def with_wait(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option."""
    signature = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("wait", inspect.Parameter.KEYWORD_ONLY, default="0", annotation=Wait)
    parameters = [*signature.parameters.values(), option]

    @functools.wraps(command)
    def patient(*, wait: str, **values: Any) -> Any:
        from infra.stacks import locks

        locks.patience = _seconds(wait)
        return command(**values)

    patient.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    patient.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return patient


def _seconds(wait: str) -> float:
    try:
        seconds = float("inf") if wait == FOREVER else float(wait)
    except ValueError:
        seconds = -1
    if not seconds >= 0:
        raise UsageError(f"--wait: {wait!r} is no number of seconds")
    return seconds
