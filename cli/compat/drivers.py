"""docker-machine's drivers as mctl's providers: whose flags they take, and what those mean there."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from typing import Any, NamedTuple, get_origin, get_type_hints

from cli.compat import flags
from cli.compat.driver_flags import DRIVERS
from cli.compat.words import PlainError
from cli.output import say
from infra.components import drivers
from infra.components.drivers.sizes import gib, processors
from infra.errors import UsageError

# What some drivers had an option of their own for, and every machine of mctl has.
USER_DATA = re.compile(r"-(userdata|custom-data|user-data-file|cloudinit)$")
PRIVATE_ONLY = re.compile(r"-(private-address-only|use-internal-ip-only|private-net-only)$")
CREDENTIAL = re.compile(
    r"-(access-key|secret-key|session-token|access-token|api-key|api-secret-key|client-id|client-secret|subscription-id"
    r"|user|username|password|auth-url|vcenter|tenant-(id|name)|domain-(id|name)|cacert|insecure|endpoint-type)$"
)
NO_SHARE = re.compile(r"-no-share$")  # as it is here unless a folder is named
# What the plugins' own chains call docker-machine's variables.
RENAMED = {
    "VSPHERE_USERNAME": "VSPHERE_USER",
    "VCLOUDAIR_USERNAME": "VCD_USER",
    "VCLOUDAIR_PASSWORD": "VCD_PASSWORD",
    **{f"AZURE_{name}": f"ARM_{name}" for name in ("CLIENT_ID", "CLIENT_SECRET", "SUBSCRIPTION_ID")},
}


class StandIn(NamedTuple):
    """A provider that makes a driver's machines on a computer without the driver's own program.

    fields: by flag, the provider's option and how the value becomes its.
    """

    provider: str
    program: str
    fields: Mapping[str, tuple[str, Callable[[Any], Any]]]


STAND_INS = {
    "virtualbox": StandIn(
        "qemu",
        "VBoxManage",
        {
            "virtualbox-memory": ("memory", int),
            "virtualbox-cpu-count": ("cpu_count", processors),
            "virtualbox-disk-size": ("disk_size", gib),
        },
    )
}


def chosen(arguments: Sequence[str]) -> str:
    """Find the driver that a command line names, before it is parsed: its flags depend on it."""
    found = os.environ.get("MACHINE_DRIVER") or "virtualbox"
    for position, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if argument == "--":
            break
        if flag in ("-d", "--d", "-driver", "--driver"):
            found = value if equals else (list(arguments[position + 1 :]) or [found])[0]
    return found


def flags_of(driver: str) -> tuple[flags.Flag, ...]:
    """Give a driver's flags: docker-machine's, and those of its provider here. Raises PlainError for an unknown one."""
    found = {flag.name: flag for flag in DRIVERS.get(driver, ())}
    provider = _provider(driver)
    hints = get_type_hints(provider.args)
    for field in fields(provider.args):
        own = _flag(provider, field, hints[field.name])
        found.setdefault(own.name, own)
    return tuple(found.values())


def options_of(driver: str, values: Mapping[str, flags.Value]) -> tuple[str, dict[str, Any]]:
    """Give the provider and its options. values: the flags that are set. Raises UsageError where it needs more."""
    provider = _provider(driver)
    own = {flag.name: flag for flag in DRIVERS.get(driver, ())}
    stand_in = STAND_INS[driver].fields if provider.name not in (driver, drivers.ALIASES.get(driver)) else {}
    spelled = _spellings(provider)
    options = {field: convert(values.get(flag, own[flag].default)) for flag, (field, convert) in stand_in.items()}
    options |= {spelled[flag]: value for flag, value in values.items() if flag in spelled}
    if any(value for flag, value in values.items() if NO_SHARE.search(flag)):
        options.pop("share_folder", None)
    for field in fields(provider.args):
        if field.default is MISSING and field.default_factory is MISSING and field.name not in options:
            raise UsageError(f"{driver} driver requires the {drivers.flag(provider, field)} option")
    if stand_in:
        say("Notice", f"a machine of driver {driver} is one of provider {provider.name} here", None)
    handed = _hand_on(own, {flag: value for flag, value in values.items() if flag in own and flag not in spelled})
    shared = {flag for flag in values if any(known.search(flag) for known in (USER_DATA, PRIVATE_ONLY, NO_SHARE))}
    idle = [f"--{flag}" for flag in values if flag in own and flag not in {*spelled, *stand_in, *handed, *shared}]
    if idle:
        say("Notice", f"provider {provider.name} has no use for {', '.join(idle)}", None)
    return provider.name, options


def _hand_on(own: Mapping[str, flags.Flag], values: Mapping[str, flags.Value]) -> set[str]:
    """Put credentials where the vendor's own chain finds them: mctl takes none as options, and keeps none."""
    named = {flag: RENAMED.get(own[flag].env, own[flag].env) for flag in values}
    handed = {flag: variable for flag, variable in named.items() if variable and CREDENTIAL.search(flag)}
    fresh = [variable for flag, variable in handed.items() if os.environ.get(variable) != str(values[flag])]
    os.environ.update({variable: str(values[flag]) for flag, variable in handed.items()})
    if fresh:
        say("Notice", f"credentials are not kept: set {', '.join(fresh)} for later commands too", None)
    return set(handed)


def _provider(driver: str) -> drivers.Driver:
    name = drivers.ALIASES.get(driver, driver)
    if driver in STAND_INS and not shutil.which(STAND_INS[driver].program):
        name = STAND_INS[driver].provider
    if name not in drivers.TABLE:
        raise PlainError(
            f'Driver "{driver}" not found. Do you have the plugin binary "docker-machine-driver-{driver}" accessible '
            "in your PATH?"
        )
    return drivers.load(name)


def _spellings(provider: drivers.Driver) -> dict[str, str]:
    """Give the provider's option of each flag, docker-machine's spellings among them."""
    return {
        spelling.removeprefix("--"): field.name
        for field in fields(provider.args)
        for spelling in (drivers.flag(provider, field), *field.metadata["aliases"])
    }


def _flag(provider: drivers.Driver, field: Field[Any], hint: Any) -> flags.Flag:
    default: flags.Value = () if get_origin(hint) is tuple else {bool: False, int: 0}.get(hint, "")
    if type(field.default) is type(default):
        default = field.default
    name = drivers.flag(provider, field).removeprefix("--")
    return flags.Flag(name, default, field.metadata["env"], text=field.metadata["help"])
