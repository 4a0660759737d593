"""How a driver's options are declared and read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import MISSING, Field, field, fields
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from infra.errors import UsageError
from infra.machine import suggest

if TYPE_CHECKING:
    from infra.components.drivers import Driver


def option(
    default: Any = MISSING,
    *,
    help: str,  # noqa: A002 - the word that every command line library uses
    env: str = "",
    aliases: tuple[str, ...] = (),
    factory: Any = MISSING,
) -> Any:
    """Declare one driver option: a dataclass field that is also `--PROVIDER-FIELD` and an environment variable."""
    metadata = {"help": help, "env": env, "aliases": aliases}
    return field(default=default, default_factory=factory, metadata=metadata)


def read_args(driver: Driver, machine: str, options: Mapping[str, Any]) -> Any:
    """Turn declared options into the driver's args. Raises UsageError for an unknown, missing or ill-typed one."""
    known = {f.name: f for f in fields(driver.args)}
    for key in options:
        if key not in known:
            raise UsageError(
                f"provider {driver.name} has no option {key!r}{suggest(key, list(known))}",
                machine=machine,
                setting=(machine, "options", key),
            )
    hints = get_type_hints(driver.args)
    values = {key: _typed(driver, machine, known[key], hints[key], value) for key, value in options.items()}
    for key, declared in known.items():
        required = declared.default is MISSING and declared.default_factory is MISSING
        if required and key not in values:
            raise UsageError(f"provider {driver.name} needs {flag(driver, declared)}", machine=machine)
    return driver.args(**values)


def flag(driver: Driver, declared: Field[Any]) -> str:
    """Spell an option as the command line does: `--qemu-memory`."""
    return f"--{driver.name}-{declared.name.replace('_', '-')}"


def from_environment(driver: Driver) -> dict[str, str]:
    """Give the options that the environment sets, by field name, as text."""
    found = {}
    for declared in fields(driver.args):
        value = os.environ.get(declared.metadata["env"] or "", "")
        if value:
            found[declared.name] = value
    return found


def _typed(driver: Driver, machine: str, declared: Field[Any], hint: Any, value: Any) -> Any:
    if get_origin(hint) is tuple:
        kind = get_args(hint)[0]
        items = value.split(",") if isinstance(value, str) else list(value)
        return tuple(_typed(driver, machine, declared, kind, item) for item in items)
    kind = "true or false" if hint is bool else f"a valid {hint.__name__}"
    try:
        if hint is bool:
            return (
                value
                if isinstance(value, bool)
                else {"true": True, "1": True, "false": False, "0": False}[str(value).lower()]
            )
        return hint(value)
    except (ValueError, KeyError):
        raise UsageError(
            f"{flag(driver, declared)} {value!r} is not {kind}",
            machine=machine,
        ) from None
