"""The bastion that all SSH to a machine goes through, where the declaration names one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pulumi
import pulumi_command as command

from infra.components import ssh_login
from infra.machine import Jump, MachineSpec

DIALS = 3  # it is there already, so it answers or doesn't


def login(spec: MachineSpec) -> ssh_login.Login | None:
    """Say how to log in to the machine's bastion; None where it has none."""
    if not spec.ssh_proxy_jump:
        return None
    jump = Jump.parse(spec.ssh_proxy_jump, spec.name)
    return ssh_login.Login(
        machine=spec.name,
        user=jump.user,
        host=jump.host,
        port=jump.port,
        key=spec.ssh_proxy_key,
        host_key=spec.ssh_proxy_host_key,
        key_option="--ssh-proxy-key",
        host_key_option="--ssh-proxy-host-key",
        is_bastion=True,
    )


def check(spec: MachineSpec) -> MachineSpec:
    """Log in to the bastion once, and declare its user, its host key and the key that opens it.

    Raises PreCreateError.
    """
    there = login(spec)
    if there is None:
        return spec
    there = ssh_login.checked(there)
    return replace(spec, ssh_proxy_jump=str(there.jump), ssh_proxy_host_key=there.host_key, ssh_proxy_key=there.key)


def connection(there: ssh_login.Login | None) -> command.remote.ProxyConnectionArgs | None:
    """Give what the command plugin must know of the bastion. Raises PreCreateError where a key is not known."""
    if there is None:
        return None
    key = ssh_login.private_key(there)
    return command.remote.ProxyConnectionArgs(
        host=there.host,
        port=there.port,
        user=there.user,
        private_key=None if key is None else pulumi.Output.secret(key),
        host_key=ssh_login.known_key(there),
        dial_error_limit=DIALS,
    )


def outputs(there: ssh_login.Login | None) -> dict[str, pulumi.Output[Any]]:
    """Give what a record keeps of the bastion; the private key is secret."""
    known = {
        "ssh_proxy_jump": str(there.jump) if there else "",
        "ssh_proxy_host_key": ssh_login.known_key(there) if there else "",
    }
    secret = pulumi.Output.secret(ssh_login.private_key(there) if there else None)
    return {key: pulumi.Output.from_input(value) for key, value in known.items()} | {"ssh_proxy_private_key": secret}
