"""A host that is there already, reached over SSH.

Options follow docker-machine's generic driver. The host's key is known before the first connection: from
`--ssh-host-key`, or from this computer's known_hosts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import pulumi

from infra.components import bastion, ssh_login
from infra.components.drivers import About, Driver, Identity, Vm, option
from infra.machine import LOGIN_KEY, NAMESPACE, MachineSpec


@dataclass(frozen=True, kw_only=True)
class GenericArgs:
    """Say where the host is and how to log in."""

    ip_address: str = option(help="Address or name of the host", env="GENERIC_IP_ADDRESS")
    ssh_user: str = option(
        "root", help="User to log in as; root, or one with passwordless sudo", env="GENERIC_SSH_USER"
    )
    ssh_port: int = option(22, help="Port of the host's SSH server", env="GENERIC_SSH_PORT")
    ssh_key: str = option(
        "", help="Private key file; default: the SSH agent's keys, else one in ~/.ssh", env="GENERIC_SSH_KEY"
    )
    engine_port: int = option(2376, help="Port on which the Docker daemon listens", env="GENERIC_ENGINE_PORT")


class GenericHost(pulumi.ComponentResource):
    """Stand for a host that we did not make: nothing of it is deleted with the machine."""

    def __init__(self, name: str, address: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("mctl:infra:GenericHost", f"{name}-host", {}, opts)
        self.register_outputs({"address": address})


def vm(spec: MachineSpec, args: GenericArgs, _identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Describe the host. Raises PreCreateError where its key is not known."""
    login = _login(spec, args)
    return Vm(
        resource=GenericHost(spec.name, args.ip_address, opts),
        instance_id=args.ip_address,
        address=args.ip_address,
        private_address="",
        ssh_user=args.ssh_user,
        ssh_port=args.ssh_port,
        ssh_private_key=_login_key(login),
        ssh_host_key=ssh_login.known_key(login),
        docker_port=args.engine_port,
        engine_port=args.engine_port,
    )


def check(spec: MachineSpec, args: GenericArgs) -> MachineSpec:
    """Choose the user's key, pin the host's, and log in once. Raises PreCreateError saying what failed and why."""
    login = ssh_login.checked(_login(spec, args))
    options = {**spec.options, "ssh_key": login.key} if login.key else spec.options
    return replace(spec, options=options, ssh_host_key=login.host_key)


def ask(spec: MachineSpec, args: GenericArgs, command: str) -> str:
    """Log in, run a command that changes nothing, and give what it printed. Raises PreCreateError."""
    return ssh_login.ask(_login(spec, args), command)


def _login_key(login: ssh_login.Login) -> pulumi.Output[str] | None:
    """Give the key from the named file, else one that the stack's secrets hold, else none: the agent has it."""
    key = ssh_login.private_key(login)
    if key is not None:
        return pulumi.Output.secret(key)
    kept = pulumi.Config(NAMESPACE).get(f"{LOGIN_KEY}{login.machine}")
    return pulumi.Output.secret(f"{kept.strip()}\n") if kept else None


def _login(spec: MachineSpec, args: GenericArgs) -> ssh_login.Login:
    return ssh_login.Login(
        machine=spec.name,
        user=args.ssh_user,
        host=args.ip_address,
        port=args.ssh_port,
        key=args.ssh_key,
        host_key=spec.ssh_host_key,
        key_option="--generic-ssh-key",
        host_key_option="--ssh-host-key",
        through=bastion.login(spec),
    )


ABOUT = About(
    title="A host that is there already",
    credentials="An SSH key that logs in: the agent's, one in `~/.ssh`, or `--generic-ssh-key`.",
    example="mctl create box --provider generic --generic-ip-address 192.0.2.7",
    makes="Nothing is made: Docker Engine is installed where there is none, and its TLS is configured. `mctl rm` "
    "forgets the host and leaves it as it is.",
    costs="Nothing more than the host does.",
)
DRIVER = Driver(name="generic", args=GenericArgs, vm=vm, check=check, makes_vm=False, declares_power=False, about=ABOUT)
