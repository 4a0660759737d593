"""The Pulumi program: the stack's config becomes one Machine per entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from infra.authority import AuthoritySpec
from infra.components import drivers
from infra.components.engine_scripts.configure import split_opts
from infra.components.machine import Machine
from infra.components.tls import Authority
from infra.errors import UsageError
from infra.machine import NAMESPACE, MachineSpec


def run(tell: Callable[[dict[str, dict[str, Any]]], None] | None = None) -> None:
    """Declare every machine of the stack's config, and export their outputs by name as `machines`.

    tell: is given the same once all are known, secrets in clear. Raises UsageError where the config is missing or can't
    mean anything.
    """
    config = pulumi.Config(NAMESPACE)
    specs = read_machines(config.get_object("machines"))
    for spec in specs:
        check(spec)
    if not specs:
        pulumi.export("machines", {})
        return
    plan = AuthoritySpec.from_config(config.get_object("authority"))
    authority = Authority(pulumi.get_stack(), plan, config.get_secret_object("adoptedAuthority"))
    machines = {spec.name: Machine(spec, authority).outputs for spec in specs}
    pulumi.export("machines", machines)
    if tell:
        pulumi.Output.from_input(machines).apply(tell)


def check(spec: MachineSpec) -> None:
    """Refuse what can't be made, before anything is. Raises UsageError."""
    driver = drivers.load(spec.provider)
    drivers.read_args(driver, spec.name, spec.options)
    split_opts(spec.engine)


def read_machines(declared: Any) -> list[MachineSpec]:
    """Read `mctl:machines`: a mapping of names to specs. Raises UsageError."""
    if declared is None:
        return []
    if not isinstance(declared, Mapping):
        raise UsageError("mctl:machines is not a mapping of machine names to settings")
    return [MachineSpec.from_config(str(name), entry) for name, entry in declared.items()]
