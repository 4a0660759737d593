"""mctl create: make a machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.create_options import (
    AllowCidr,
    Env,
    HostKey,
    Insecure,
    Install,
    Jump,
    JumpHostKey,
    JumpKey,
    Label,
    Mirror,
    Opt,
    PrivateAddressOnly,
    Provider,
    ProvisionScripts,
    StorageDriver,
    TlsSan,
    UserData,
    Version,
    Zones,
    option,
)
from cli.driver_options import DEFAULT_PROVIDER, chosen_provider, with_driver_options
from cli.progress import progress
from infra.components.drivers import load
from infra.machine import EngineSpec, MachineSpec

FORWARD = (
    "It needs a route to the machine; without one, forward the port: mctl ssh {0} -N -L 2376:localhost:2376, "
    "and set DOCKER_HOST=tcp://localhost:2376 after mctl env {0}"
)


Name = Annotated[str, typer.Argument(help="Name of the machine.")]
StackName = Annotated[str, option("Machine", "Stack to add it to; by default one of its own")]


def _create(
    name: Name,
    *,
    provider: Provider = DEFAULT_PROVIDER,
    stack: StackName = "",
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
    _make(spec, stack or name)


def _make(spec: Any, stack: str) -> None:
    from infra.stacks import checks, machines

    with progress() as report:
        made = machines.create(spec, stack, report)
        checks.tell(spec.name, report)
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in made.phases.items())
    version = made.record.engine_version
    if not version:
        typer.echo(f"{spec.name} stands for {made.record.docker_url}, which was not asked")
        return
    typer.echo(f"Docker {version} is up and running on {spec.name}" + (f" ({phases})" if phases else ""))
    typer.echo(f"To see how to connect your Docker client to it, run: mctl env {spec.name}", err=True)
    if made.record.ssh_proxy_jump:
        typer.echo(FORWARD.format(spec.name), err=True)


create = with_driver_options(_create, chosen_provider(sys.argv[1:]))
