"""mctl create: make a machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli import making
from cli.create_options import (
    AllowCidr,
    Autolock,
    Env,
    HostKey,
    Insecure,
    Install,
    Jump,
    JumpHostKey,
    JumpKey,
    Label,
    Managers,
    Mirror,
    Opt,
    PrivateAddressOnly,
    Provider,
    ProvisionScripts,
    StorageDriver,
    Swarm,
    TlsSan,
    UserData,
    Version,
    Zones,
    option,
    swarm_of,
)
from cli.driver_options import DEFAULT_PROVIDER, chosen_provider, with_driver_options
from infra.components.drivers import load
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec

KEEP, DESTROY = "keep", "destroy"
Name = Annotated[str, typer.Argument(help="Name of the machine.")]
Count = Annotated[int | None, option("Machine", "Make a group of so many, NAME-1, NAME-2, …", "--count")]
OnFailure = Annotated[str, option("Machine", "What becomes of what was made where making fails: keep or destroy")]
StackName = Annotated[str, option("Machine", "Stack to add it to; by default one of its own")]


def _create(
    name: Name,
    *,
    provider: Provider = DEFAULT_PROVIDER,
    stack: StackName = "",
    count: Count = None,
    on_failure: OnFailure = KEEP,
    tls_san: TlsSan = None,
    ssh_host_key: HostKey = "",
    ssh_proxy_jump: Jump = "",
    ssh_proxy_host_key: JumpHostKey = "",
    ssh_proxy_key: JumpKey = "",
    private_address_only: PrivateAddressOnly = False,
    allow_cidr: AllowCidr = None,
    zones: Zones = None,
    user_data: UserData = "",
    provision_script: ProvisionScripts = None,
    engine_install: Install = "auto",
    engine_version: Version = "",
    engine_opt: Opt = None,
    engine_label: Label = None,
    engine_insecure_registry: Insecure = None,
    engine_registry_mirror: Mirror = None,
    engine_storage_driver: StorageDriver = "",
    engine_env: Env = None,
    swarm: Swarm = False,
    managers: Managers = None,
    autolock: Autolock = False,
    options: Mapping[str, Any],
) -> None:
    """Make a machine: a host with Docker Engine behind TLS, and a docker context for it.

    Run again after a failure, it goes on where it stopped.

    Example: `mctl create web-1 --provider generic --generic-ip-address 192.0.2.7`
    """
    engine = EngineSpec(
        install=engine_install,
        version=engine_version,
        opts=tuple(engine_opt or ()),
        labels=tuple(engine_label or ()),
        insecure_registries=tuple(engine_insecure_registry or ()),
        registry_mirrors=tuple(engine_registry_mirror or ()),
        storage_driver=engine_storage_driver,
        env=tuple(engine_env or ()),
    )
    spec = MachineSpec(
        name=name,
        provider=load(provider).name,
        options=options,
        engine=engine,
        tls_sans=tuple(tls_san or ()),
        ssh_host_key=ssh_host_key,
        ssh_proxy_jump=ssh_proxy_jump,
        ssh_proxy_host_key=ssh_proxy_host_key,
        ssh_proxy_key=ssh_proxy_key,
        private_address_only=private_address_only,
        allow_cidrs=tuple(allow_cidr or ()),
        zones=tuple(zone for text in zones or () for zone in text.split(",")),
        user_data=user_data,
        provision_scripts=tuple(provision_script or ()),
    )
    if on_failure not in (KEEP, DESTROY):
        raise UsageError(f"--on-failure takes {KEEP} or {DESTROY}")
    cluster = swarm_of(swarm=swarm, managers=managers, autolock=autolock)
    if count is None:
        making.make(spec, stack or name, cluster, destroy=on_failure == DESTROY)
    else:
        making.make_group(spec, count, stack or name, cluster, destroy=on_failure == DESTROY)


create = with_driver_options(_create, chosen_provider(sys.argv[1:]))
