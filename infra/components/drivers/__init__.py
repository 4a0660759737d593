"""One module per provider, and the one lazy table that lists them.

A driver's module holds a `DRIVER`. Adding one touches: its module, one line of TABLE, one extra in pyproject.toml, and
one table of the stand-in clouds in tests/. Nothing here imports pulumi or a cloud's SDK.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, get_args, get_origin, get_type_hints

from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec, suggest

if TYPE_CHECKING:
    import pulumi

TABLE = {
    "generic": "infra.components.drivers.generic",
    "qemu": "infra.components.drivers.qemu",
}
ALIASES: dict[str, str] = {}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """The SSH keys that a new VM gets: the user's public key, and the host's own pair (secret) so that it is known
    before the first connection. All in OpenSSH format."""

    user_public_key: pulumi.Input[str]
    user_private_key: pulumi.Input[str]
    host_public_key: pulumi.Input[str]
    host_private_key: pulumi.Input[str]


@dataclass(frozen=True, kw_only=True)
class Vm:
    """What a driver's VM offers to the rest of the machine.

    resource: whatever lives on the VM is `deleted_with` it. ssh_private_key: None means the SSH agent. docker_port:
    where the daemon's port is reached. engine_port: where the daemon listens on the host. ssh_host_key: authorized_keys
    style, `ssh-ed25519 AAAA…`.
    """

    resource: pulumi.Resource
    instance_id: pulumi.Input[str]
    address: pulumi.Input[str]
    private_address: pulumi.Input[str]
    ssh_user: pulumi.Input[str]
    ssh_port: pulumi.Input[int]
    ssh_private_key: pulumi.Input[str] | None
    ssh_host_key: pulumi.Input[str]
    docker_port: pulumi.Input[int]
    engine_port: int = PORT


@dataclass(frozen=True, kw_only=True)
class Driver:
    """One provider.

    args: a frozen keyword-only dataclass whose fields are made by `option`: they are the command line's options.
    vm: makes the VM: (spec, args, identity, opts) -> Vm; `identity` is None where `makes_vm` is False.
    check: looks, before anything is made, whether create could work, and fills in what only this computer knows; raises
    PreCreateError or UsageError. declares_power: `running` in the spec switches the machine on and off by an `up`.
    is_local: the machine lives on this computer: it can't be handed to another, and there is nothing to go through.
    private_address: its VMs have one that can be reached. extra: the pip extra that brings the SDK.
    """

    name: str
    args: type[Any]
    vm: Callable[[MachineSpec, Any, Identity | None, pulumi.ResourceOptions], Vm]
    check: Callable[[MachineSpec, Any], MachineSpec] = lambda spec, _args: spec
    makes_vm: bool = True
    declares_power: bool = True
    is_local: bool = False
    private_address: bool = False
    extra: str = ""


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


def names() -> list[str]:
    """List every provider's name."""
    return sorted(TABLE)


def load(provider: str) -> Driver:
    """Import one driver by provider name or alias. Raises UsageError where there is none."""
    name = ALIASES.get(provider, provider)
    if name not in TABLE:
        known = sorted([*TABLE, *ALIASES])
        raise UsageError(
            f"unknown provider {provider!r}{suggest(provider, known)}",
            mend=f"--provider takes one of: {', '.join(names())}",
        )
    driver: Driver = import_module(TABLE[name]).DRIVER
    return driver


def read_args(driver: Driver, machine: str, options: Mapping[str, Any]) -> Any:
    """Turn declared options into the driver's args. Raises UsageError for an unknown, missing or ill-typed one."""
    known = {f.name: f for f in fields(driver.args)}
    for key in options:
        if key not in known:
            raise UsageError(
                f"provider {driver.name} has no option {key!r}{suggest(key, list(known))}", machine=machine
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
