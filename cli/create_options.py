"""The options of `create` that say how a machine is reached, and what a host is made ready with."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def option(panel: str, text: str, *flags: str, envvar: list[str] | None = None) -> Any:
    """Declare an option in a panel of the help."""
    return typer.Option(*flags, help=text, rich_help_panel=panel, envvar=envvar)


HostKey = Annotated[str, option("SSH", "Public SSH key of a host that is there already; accept-new trusts it")]
Jump = Annotated[str, option("SSH", "Bastion that all SSH goes through: [USER@]HOST[:PORT]", "--ssh-proxy-jump")]
JumpHostKey = Annotated[str, option("SSH", "The bastion's public SSH key; default: known_hosts; accept-new trusts it")]
JumpKey = Annotated[str, option("SSH", "Private key file for the bastion; default: the SSH agent's, else in ~/.ssh")]
PrivateAddressOnly = Annotated[
    bool, option("SSH", "Reach the machine by its private address alone", "--private-address-only")
]
UserData = Annotated[str, option("Machine", "File for cloud-init", "--user-data", "--qemu-user-data")]
ProvisionScripts = Annotated[
    list[str] | None,
    option("Machine", "Script to run as root once Docker is up, and again when it changes", "--provision-script"),
]
