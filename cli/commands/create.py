"""mctl create: make a machine."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cli.driver_options import DEFAULT_PROVIDER, VARIABLES, chosen_provider, with_driver_options
from cli.progress import progress
from infra.components.drivers import load
from infra.machine import EngineSpec, MachineSpec


def _option(panel: str, text: str, *flags: str, envvar: list[str] | None = None) -> Any:
    return typer.Option(*flags, help=text, rich_help_panel=panel, envvar=envvar)


Name = Annotated[str, typer.Argument(help="Name of the machine.")]
Provider = Annotated[
    str, _option("Machine", "Where the machine runs.", "--provider", "--driver", "-d", envvar=list(VARIABLES))
]
StackName = Annotated[str, _option("Machine", "Stack to add it to; by default one of its own")]
TlsSan = Annotated[list[str] | None, _option("Machine", "Further name or address for the server certificate")]
HostKey = Annotated[str, _option("Machine", "Public SSH key of a host that is there already; accept-new trusts it")]
Install = Annotated[str, _option("Docker Engine", "docker, distro, none, a script's URL, or auto: docker, else distro")]
Version = Annotated[str, _option("Docker Engine", "Version to pin, such as 27 or 27.3.1")]
Opt = Annotated[list[str] | None, _option("Docker Engine", "dockerd option, KEY=VALUE or KEY")]
Label = Annotated[list[str] | None, _option("Docker Engine", "Label of the engine, KEY=VALUE")]
Insecure = Annotated[list[str] | None, _option("Docker Engine", "Registry to reach without TLS")]
Mirror = Annotated[list[str] | None, _option("Docker Engine", "Mirror of Docker Hub")]
StorageDriver = Annotated[str, _option("Docker Engine", "Storage driver")]
Env = Annotated[list[str] | None, _option("Docker Engine", "Environment variable of the daemon, KEY=VALUE")]


def _create(
    name: Name,
    *,
    provider: Provider = DEFAULT_PROVIDER,
    stack: StackName = "",
    tls_san: TlsSan = None,
    ssh_host_key: HostKey = "",
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
    )
    _make(spec, stack or name)


def _make(spec: Any, stack: str) -> None:
    from infra.stacks import machines

    with progress() as report:
        made = machines.create(spec, stack, report)
    phases = ", ".join(f"{phase} {seconds:.0f} s" for phase, seconds in made.phases.items())
    version = made.record.engine_version
    typer.echo(f"Docker {version} is up and running on {spec.name}" + (f" ({phases})" if phases else ""))
    typer.echo(f"To see how to connect your Docker client to it, run: mctl env {spec.name}", err=True)


create = with_driver_options(_create, chosen_provider(sys.argv[1:]))
