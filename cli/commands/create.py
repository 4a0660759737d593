"""mctl create: make a machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

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
from cli.output import say
from cli.progress import progress
from infra.components.drivers import load
from infra.errors import Interrupted, MctlError, StackError, UsageError
from infra.machine import EngineSpec, MachineSpec, SwarmSpec

FORWARD = (
    "It needs a route to the machine; without one, forward the port: mctl ssh {0} -N -L 2376:localhost:2376, "
    "and set DOCKER_HOST=tcp://localhost:2376 after mctl env {0}"
)


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
        _make(spec, stack or name, cluster, destroy=on_failure == DESTROY)
    else:
        _make_group(spec, count, stack or name, cluster, destroy=on_failure == DESTROY)


def _make_group(spec: MachineSpec, count: int, stack: str, swarm: SwarmSpec | None, *, destroy: bool) -> None:
    from cli import fleet
    from infra.stacks import fleets

    if count < 1:
        raise UsageError("--count takes a whole number from 1")
    again = f"mctl create {spec.name} --count {count} … once more goes on from here; mctl rm {spec.name} clears it"
    with progress() as report:
        declared = fleets.declare(spec, count, stack, report, swarm)
    failed = fleet.bring(declared, again)
    if failed and destroy and not isinstance(failed, Interrupted):
        say("Error", failed.message, None)
        raise fleet.remove(spec.name) or MctlError(f"all of {spec.name} was removed again")
    if failed:
        raise failed
    typer.echo(f"Docker is up and running on {count} machine{'' if count == 1 else 's'} of {spec.name}")
    typer.echo(f"To see how to connect your Docker client to one, run: mctl env {spec.name}-1", err=True)


def _make(spec: MachineSpec, stack: str, swarm: SwarmSpec | None, *, destroy: bool) -> None:
    from infra.stacks import checks, machines

    with progress() as report:
        try:
            made = machines.create(spec, stack, report, swarm)
        except StackError as error:
            if not destroy:
                raise
            machines.remove(spec.name, report)
            raise StackError(f"{error.message}; what was made is removed again", machine=error.machine) from None
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
