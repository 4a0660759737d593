"""The options of `create` that belong to the chosen provider, made from the fields of its driver's args."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import MISSING, Field, fields
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from infra.components import drivers
from infra.errors import MctlError, UsageError

DEFAULT_PROVIDER = "qemu"
VARIABLES = ("MCTL_PROVIDER", "MACHINE_DRIVER")
PANEL = "Options of provider {}"


def chosen_provider(arguments: Sequence[str]) -> str:
    """Find the provider that a command line names, before it is parsed: its options depend on it."""
    for position, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag in ("--provider", "--driver", "-d"):
            return value if equals else (list(arguments[position + 1 :]) or [DEFAULT_PROVIDER])[0]
    return next((os.environ[name] for name in VARIABLES if os.environ.get(name)), DEFAULT_PROVIDER)


def provider_of_machine(arguments: Sequence[str]) -> str:
    """Find the provider of the first machine that a command line names, or nothing."""
    from infra.stacks import project, records

    for name in arguments:
        with suppress(MctlError):
            if records.exists(name):
                return records.load(name).provider
            folder = project.find_project()
            stack = project.stack_of(folder, name)
            if stack:
                return str(project.machines(folder, stack)[name].get("provider", ""))
    return ""


def with_driver_options(command: Callable[..., Any], provider: str, *, changing: bool = False) -> Callable[..., Any]:
    """Give a command the options of a provider; it gets those that were set as the mapping `options`.

    An unknown provider adds none: the command itself refuses it. changing: of a machine that is there, so that the
    environment and defaults count for nothing, an empty list is one, and the provider's name may be left off.
    """
    try:
        driver = drivers.load(provider)
    except UsageError:
        return _signed(command, [], lambda values: values | {"options": {}})
    declared = {f"{driver.name}_{field.name}".replace("-", "_"): field for field in fields(driver.args)}
    hints = get_type_hints(driver.args)
    extra = [_parameter(driver, name, field, hints[field.name], changing=changing) for name, field in declared.items()]

    def gather(values: dict[str, Any]) -> dict[str, Any]:
        options = {field.name: values.pop(name) for name, field in declared.items()}
        return values | {"options": {key: value for key, value in options.items() if value not in (None, [])}}

    return _signed(command, extra, gather)


def _parameter(driver: drivers.Driver, name: str, field: Field[Any], hint: Any, *, changing: bool) -> inspect.Parameter:
    flag = drivers.flag(driver, field)
    flags = (f"{flag}/--no-{flag[2:]}",) if hint is bool else (flag,)
    aliases = field.metadata["aliases"]
    if changing and hint is not bool:
        aliases = (*aliases, *(f"--{word.removeprefix(f'--{driver.name}-')}" for word in (flag, *aliases)))
    kind: Any = list[get_args(hint)[0]] if get_origin(hint) is tuple else hint  # type: ignore[misc]
    option = typer.Option(
        *flags,
        *dict.fromkeys(aliases),
        help=_help(field),
        envvar=None if changing else field.metadata["env"] or None,
        rich_help_panel=PANEL.format(driver.name),
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[kind | None, option]
    )


def _help(field: Field[Any]) -> str:
    default = "" if field.default in (MISSING, "", (), False) else f" (default: {field.default})"
    required = " (required)" if field.default is MISSING and field.default_factory is MISSING else ""
    return f"{field.metadata['help']}{default}{required}"


def _signed(
    command: Callable[..., Any], extra: list[inspect.Parameter], gather: Callable[[dict[str, Any]], dict[str, Any]]
) -> Callable[..., Any]:
    signature = inspect.signature(command, eval_str=True)
    own = [parameter for parameter in signature.parameters.values() if parameter.name != "options"]

    @functools.wraps(command)
    def wrapper(**values: Any) -> Any:
        return command(**gather(values))

    wrapper.__signature__ = signature.replace(parameters=[*own, *extra])  # type: ignore[attr-defined]
    wrapper.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *extra]}
    return wrapper
