"""What `create` and `set` have in common: how a machine is reached, made ready, and how its engine is set up."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from cli.driver_options import VARIABLES
from infra.errors import UsageError
from infra.machine import MANAGERS, SwarmSpec


def option(panel: str, text: str, *flags: str, envvar: list[str] | None = None) -> Any:
    """Declare an option in a panel of the help."""
    return typer.Option(*flags, help=text, rich_help_panel=panel, envvar=envvar)


Provider = Annotated[
    str, option("Machine", "Where the machine runs.", "--provider", "--driver", "-d", envvar=list(VARIABLES))
]
HostKey = Annotated[str, option("SSH", "Public SSH key of a host that is there already; accept-new trusts it")]
Jump = Annotated[str, option("SSH", "Bastion that all SSH goes through: [USER@]HOST[:PORT]", "--ssh-proxy-jump")]
JumpHostKey = Annotated[str, option("SSH", "The bastion's public SSH key; default: known_hosts; accept-new trusts it")]
JumpKey = Annotated[str, option("SSH", "Private key file for the bastion; default: the SSH agent's, else in ~/.ssh")]
PrivateAddressOnly = Annotated[
    bool, option("SSH", "Reach the machine by its private address alone", "--private-address-only")
]
AllowCidr = Annotated[
    list[str] | None,
    option("Machine", "Who may reach SSH and Docker through the provider's firewall; default: this computer"),
]
Zones = Annotated[list[str] | None, option("Machine", "Zone to try, in this order, where others are full")]
UserData = Annotated[str, option("Machine", "File for cloud-init", "--user-data", "--qemu-user-data")]
ProvisionScripts = Annotated[
    list[str] | None,
    option("Machine", "Script to run as root once Docker is up, and again when it changes", "--provision-script"),
]
TlsSan = Annotated[list[str] | None, option("Machine", "Further name or address for the server certificate")]
Install = Annotated[str, option("Docker Engine", "docker, distro, none, a script's URL, or auto: docker, else distro")]
Version = Annotated[str, option("Docker Engine", "Version to pin, such as 27 or 27.3.1")]
Opt = Annotated[list[str] | None, option("Docker Engine", "dockerd option, KEY=VALUE or KEY")]
Label = Annotated[list[str] | None, option("Docker Engine", "Label of the engine, KEY=VALUE")]
Insecure = Annotated[list[str] | None, option("Docker Engine", "Registry to reach without TLS")]
Mirror = Annotated[list[str] | None, option("Docker Engine", "Mirror of Docker Hub")]
StorageDriver = Annotated[str, option("Docker Engine", "Storage driver")]
Env = Annotated[list[str] | None, option("Docker Engine", "Environment variable of the daemon, KEY=VALUE")]
Swarm = Annotated[bool, option("Swarm", "Let the machines of its stack form a Swarm", "--swarm")]
Managers = Annotated[int | None, option("Swarm", "How many of them are managers at most, an odd number [default: 3]")]
Autolock = Annotated[
    bool, option("Swarm", "Let managers need a key after a restart: mctl swarm unlock-key", "--autolock")
]


def swarm_of(*, swarm: bool, managers: int | None, autolock: bool) -> SwarmSpec | None:
    """Read what was said of a Swarm. Raises UsageError."""
    if swarm:
        return SwarmSpec(managers=MANAGERS if managers is None else managers, autolock=autolock)
    if managers is not None or autolock:
        raise UsageError(f"{'--autolock' if autolock else '--managers'} is for a Swarm", mend="add --swarm")
    return None
