"""The Pulumi program: the stack's config becomes one Machine per entry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi

from infra.authority import AuthoritySpec
from infra.components import drivers
from infra.components.engine_scripts.configure import split_opts
from infra.components.machine import Machine
from infra.components.tls import Authority
from infra.errors import UsageError
from infra.groups import expand
from infra.machine import NAMESPACE, EngineSpec, MachineSpec
from infra.stacks.owner import owner


def run(
    folder: str,
    tell: Callable[[dict[str, dict[str, Any]]], None] | None = None,
    instead: Mapping[str, MachineSpec] | None = None,
) -> None:
    """Declare every machine of the stack's config, and export their outputs by name as `machines`.

    folder: the project's; what the config names relative to it is found there. tell: is given the same once all are
    known, secrets in clear. instead: machines to take as these, not as the config has them. Raises UsageError where the
    config is missing or can't mean anything.
    """
    config = pulumi.Config(NAMESPACE)
    declared = [(instead or {}).get(spec.name, spec) for spec in _declared(config)]
    specs = [spec.with_files(lambda path: os.path.join(folder, path)) for spec in declared]
    for spec in specs:
        check(spec)
    if not specs:
        pulumi.export("machines", {})
        return
    plan = AuthoritySpec.from_config(config.get_object("authority"))
    authority = Authority(pulumi.get_stack(), plan, config.get_secret_object("adoptedAuthority"))
    ours = config.get("owner") or owner(Path(folder))
    machines = {spec.name: Machine(spec, authority, owner=ours).outputs for spec in specs}
    pulumi.export("machines", machines)
    if tell:
        pulumi.Output.from_input(machines).apply(tell)


def check(spec: MachineSpec) -> None:
    """Refuse what can't be made, before anything is. Raises UsageError."""
    driver = drivers.load(spec.provider)
    _check_host(driver, spec)
    _check_ways(driver, spec)
    drivers.read_args(driver, spec.name, spec.options)
    split_opts(spec.engine)


def _check_host(driver: drivers.Driver, spec: MachineSpec) -> None:
    """Refuse what is for a host, where a daemon is all that there is."""
    given = {
        "--engine-…": spec.engine != EngineSpec(),
        "--tls-san": spec.tls_sans,
        "--ssh-host-key": spec.ssh_host_key,
        "--ssh-proxy-jump": spec.ssh_proxy_jump,
        "--provision-script": spec.provision_scripts,
    }
    for option in [option for option, value in given.items() if value and not driver.has_host]:
        raise UsageError(f"{option}: provider {driver.name} changes nothing on the daemon's host", machine=spec.name)


def _check_ways(driver: drivers.Driver, spec: MachineSpec) -> None:
    if spec.private_address_only and not driver.private_address:
        raise UsageError(
            f"--private-address-only: a machine of provider {driver.name} has no private address of its own",
            machine=spec.name,
            mend=None if driver.makes_vm else "give the address that is to be used",
        )
    if spec.allow_cidrs and not driver.closes:
        raise UsageError(f"--allow-cidr: provider {driver.name} has no firewall that mctl closes", machine=spec.name)
    if spec.zones and not driver.has_zones:
        raise UsageError(f"--zones: provider {driver.name} has none", machine=spec.name)
    if spec.user_data and not driver.makes_vm:
        raise UsageError(
            f"--user-data: provider {driver.name} makes no machine that could read it",
            machine=spec.name,
            mend="run a script on the host with --provision-script",
        )
    if spec.ssh_proxy_jump and driver.is_local:
        raise UsageError(
            f"--ssh-proxy-jump: a machine of provider {driver.name} is on this computer", machine=spec.name
        )


def _declared(config: pulumi.Config) -> list[MachineSpec]:
    machines, groups = config.get_object("machines"), config.get_object("groups")
    declared = expand(machines, groups, pulumi.get_stack(), config.get("partOf") or "")
    return [MachineSpec.from_config(name, entry) for name, entry in declared.items()]
