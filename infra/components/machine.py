"""A machine: a driver's VM, its keys and certificates, and Docker Engine on it behind TLS."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_tls as tls

from infra.components import bastion, drivers
from infra.components.engine import Engine
from infra.components.provision import provision
from infra.components.ssh_login import Login
from infra.components.tls import Authority, ServerCertificate
from infra.machine import MachineSpec

# A host that we made may still be booting, so its connections are tried until the operation's own limit; one that was
# there already answers or doesn't.
DIALS_WHILE_BOOTING = -1
DIALS_OF_A_HOST = 3


class Machine(pulumi.ComponentResource):
    """Make one machine from its spec.

    Children are named `NAME-…`. `outputs` is the same mapping for every provider; the private keys in it are secret.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(self, spec: MachineSpec, authority: Authority, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mctl:infra:Machine", spec.name, {}, opts)
        driver = drivers.load(spec.provider)
        args = drivers.read_args(driver, spec.name, spec.options)
        child = pulumi.ResourceOptions(parent=self)
        identity = _identity(spec.name, child) if driver.makes_vm else None
        vm = driver.vm(spec, args, identity, child)
        if spec.private_address_only:
            vm = replace(vm, address=vm.private_address)
        jump = bastion.login(spec)
        connection = _connection(vm, jump, booting=driver.makes_vm)
        certificate = ServerCertificate(
            spec.name, authority, addresses=[vm.address, vm.private_address], sans=spec.tls_sans, opts=child
        )
        engine = Engine(
            spec.name,
            spec=spec.engine,
            connection=connection,
            vm=vm.resource,
            port=vm.engine_port,
            ca_cert=authority.ca_cert,
            server_cert=certificate.cert,
            server_key=certificate.key,
            provider=spec.provider,
            running=spec.running,
            opts=child,
        )
        provision(spec, connection, vm, after=engine, opts=child)
        self.outputs = _outputs(_Parts(spec, authority, vm, certificate, engine)) | bastion.outputs(jump)
        self.register_outputs(self.outputs)


@dataclass(frozen=True)
class _Parts:
    spec: MachineSpec
    authority: Authority
    vm: drivers.Vm
    certificate: ServerCertificate
    engine: Engine


def _identity(name: str, opts: pulumi.ResourceOptions) -> drivers.Identity:
    user = tls.PrivateKey(f"{name}-ssh-key", algorithm="ED25519", opts=opts)
    host = tls.PrivateKey(f"{name}-ssh-host-key", algorithm="ED25519", opts=opts)
    return drivers.Identity(
        user_public_key=user.public_key_openssh.apply(str.strip),
        user_private_key=user.private_key_openssh,
        host_public_key=host.public_key_openssh.apply(str.strip),
        host_private_key=host.private_key_openssh,
    )


def _connection(vm: drivers.Vm, jump: Login | None, *, booting: bool) -> command.remote.ConnectionArgs:
    return command.remote.ConnectionArgs(
        host=vm.address,
        port=vm.ssh_port,
        user=vm.ssh_user,
        private_key=vm.ssh_private_key,
        host_key=vm.ssh_host_key,
        proxy=bastion.connection(jump),
        dial_error_limit=DIALS_WHILE_BOOTING if booting else DIALS_OF_A_HOST,
    )


def docker_url(address: str, port: int) -> str:
    """Write the daemon's URL; an IPv6 address goes into brackets (RFC 3986, 3.2.2)."""
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def _outputs(parts: _Parts) -> dict[str, pulumi.Output[Any]]:
    vm, spec = parts.vm, parts.spec
    public = {
        "name": spec.name,
        "provider": spec.provider,
        "instance_id": vm.instance_id,
        "address": vm.address,
        "private_address": vm.private_address,
        "ssh_user": vm.ssh_user,
        "ssh_port": vm.ssh_port,
        "docker_url": pulumi.Output.all(vm.address, vm.docker_port).apply(lambda at: docker_url(*at)),
        "engine_version": parts.engine.engine_version,
        "ca_cert": parts.authority.ca_cert,
        "client_cert": parts.authority.client_cert,
        "ssh_host_key": vm.ssh_host_key,
        "certificate_expiry": parts.certificate.expiry,
        "labels": dict(label.split("=", 1) for label in spec.engine.labels),
        "running": spec.running,
    }
    secret = {"client_key": parts.authority.client_key, "ssh_private_key": vm.ssh_private_key}
    return {key: pulumi.Output.from_input(value) for key, value in public.items()} | {
        key: pulumi.Output.secret(value) for key, value in secret.items()
    }
