"""A machine: a driver's VM, its keys and certificates, and Docker Engine on it behind TLS."""

# Annotations are objects here, not text: what the component takes and gives is read from them for other languages.
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Required, TypedDict, Unpack

import pulumi
import pulumi_command as command
import pulumi_tls as tls

from infra.components import bastion, drivers, ownership, refusals, shares
from infra.components.engine import Engine
from infra.components.provision import provision
from infra.components.ssh_login import Login
from infra.components.tls import Authority, ServerCertificate
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec

# A host that we made may still be booting, so its connections are tried until the operation's own limit; one that was
# there already answers or doesn't.
DIALS_WHILE_BOOTING = -1
DIALS_OF_A_HOST = 3
CERTIFICATES = ("ca_cert", "client_cert", "client_key")
PASSWORD_IN_URL = re.compile(r"(?<=://)[^/\s]*(?=@)")


class EngineArgs(TypedDict, total=False):
    """How Docker Engine gets onto the host and how its daemon is set up."""

    install: str
    """docker, distro, none, a script's URL, or auto: docker, else distro"""
    version: str
    """Version to pin, such as 27 or 27.3.1"""
    opts: list[str]
    """dockerd options, KEY=VALUE or KEY"""
    labels: list[str]
    """Labels of the engine, KEY=VALUE"""
    insecure_registries: list[str]
    """Registries to reach without TLS"""
    registry_mirrors: list[str]
    """Mirrors of Docker Hub"""
    storage_driver: str
    """Storage driver"""
    env: list[str]
    """Environment variables of the daemon, KEY=VALUE"""


class MachineArgs(TypedDict, total=False):
    """What a machine is declared by, as under `mctl:machines`. All of it is known before anything is made."""

    provider: Required[str]
    """Where the machine runs"""
    options: Mapping[str, Any]
    """The provider's own options, such as ip_address, spelled as in Pulumi.STACK.yaml"""
    engine: EngineArgs
    """How Docker Engine is set up"""
    tls_sans: list[str]
    """Further names and addresses for the server certificate"""
    ssh_host_key: str
    """Public SSH key of a host that is there already"""
    ssh_proxy_jump: str
    """Bastion that all SSH goes through: [USER@]HOST[:PORT]"""
    ssh_proxy_host_key: str
    """The bastion's public SSH key"""
    ssh_proxy_key: str
    """Private key file for the bastion"""
    private_address_only: bool
    """Reach the machine by its private address alone"""
    allow_cidrs: list[str]
    """Who may reach SSH and Docker through the provider's firewall; nobody, if empty"""
    zones: list[str]
    """Zones where it may be"""
    swarm_networks: list[str]
    """Where the other members of its Swarm are"""
    user_data: str
    """File for cloud-init"""
    provision_scripts: list[str]
    """Files to run on the host as root, once Docker is up"""
    running: bool
    """Whether it is switched on"""
    made_as: str
    """The name that it was made under, where that is another"""


class Machine(pulumi.ComponentResource):
    """A Docker host, and all that a client needs to reach its daemon over TLS."""

    name: pulumi.Output[str]
    """The machine's name"""
    provider: pulumi.Output[str]
    """Where it runs"""
    instance_id: pulumi.Output[str]
    """What the provider calls it"""
    address: pulumi.Output[str]
    """Where it is reached"""
    private_address: pulumi.Output[str]
    """Its address in the provider's network"""
    ssh_user: pulumi.Output[str]
    """Who logs in by SSH"""
    ssh_port: pulumi.Output[int]
    """Port of SSH, 0 without any"""
    docker_url: pulumi.Output[str]
    """What DOCKER_HOST is to be"""
    engine_version: pulumi.Output[str]
    """Version of Docker Engine"""
    ca_cert: pulumi.Output[str]
    """Certificate of the authority, PEM"""
    client_cert: pulumi.Output[str]
    """The client's certificate, PEM"""
    client_key: pulumi.Output[str]
    """The client's private key, PEM, secret"""
    ssh_private_key: pulumi.Output[str]
    """Private key for SSH, secret; none where the SSH agent has it"""
    ssh_host_key: pulumi.Output[str]
    """The host's public SSH key"""
    certificate_expiry: pulumi.Output[str]
    """When the server certificate ends, RFC 3339"""
    labels: pulumi.Output[dict[str, str]]
    """Labels of the engine"""
    running: pulumi.Output[bool]
    """Whether it is switched on"""

    def __init__(
        self,
        name: str,
        opts: pulumi.ResourceOptions | None = None,
        *,
        authority: Authority | None = None,
        owner: str = "",
        swarm: str = "",
        **settings: Unpack[MachineArgs],
    ) -> None:
        """Make one machine.

        authority: signs its certificates; without one it has its own. owner: whose stack state knows of it, for
        `ownership.tags`. swarm: its role in the stack's Swarm, if any. Children are named `NAME-…`. `outputs` is the
        same mapping for every provider; the private keys in it are secret. `vm` and `connection` are for what is done
        on its host besides. Raises UsageError for settings that can't mean anything.
        """
        spec = _read(name, settings)
        renamed = pulumi.ResourceOptions(transformations=[_renaming(spec)] if spec.formerly else None)
        super().__init__("mctl:infra:Machine", spec.name, {}, pulumi.ResourceOptions.merge(opts, renamed))
        driver = drivers.load(spec.provider)
        args = drivers.read_args(driver, spec.name, spec.options)
        child = pulumi.ResourceOptions(parent=self)
        identity = _identity(spec, owner, child) if driver.makes_vm else None
        vm = driver.vm(spec, args, identity, child)
        if spec.private_address_only:
            vm = replace(vm, address=vm.private_address)
        jump = bastion.login(spec)
        connection = _connection(vm, jump, booting=driver.makes_vm)
        self.vm, self.connection = vm, connection
        authority = authority or _authority(spec, child)
        is_foreign = spec.adopted or not driver.has_host
        daemon = _adopted(spec) if is_foreign else _daemon(spec, authority, vm, connection, child)
        self.outputs = _outputs(spec, authority, vm, daemon) | bastion.outputs(jump)
        if swarm:
            self.outputs["swarm"] = pulumi.Output.from_input(swarm)
        for output in Machine.__annotations__:
            setattr(self, output, self.outputs[output])
        self.register_outputs(self.outputs)


def _read(name: str, settings: Mapping[str, Any]) -> MachineSpec:
    for key, value in settings.items():
        if _is_late(value):
            raise UsageError(
                f"Machine: {name}.{key} is an Output, known only once what it is of has been made",
                machine=name,
                mend="give a value that is known before: from the config, or as text",
            )
    spec = MachineSpec.from_config(name, settings, "Machine")
    refusals.check(spec)
    root = pulumi.runtime.get_root_directory() or ""
    return spec.with_files(lambda path: os.path.join(root, path))


def _is_late(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_is_late, value.values()))
    return any(map(_is_late, value)) if isinstance(value, list) else isinstance(value, pulumi.Output)


def _authority(spec: MachineSpec, opts: pulumi.ResourceOptions) -> Authority:
    return Authority(f"{pulumi.get_stack()} {spec.host_name}", opts=opts, name=f"{spec.name}-authority")


def _renaming(spec: MachineSpec) -> pulumi.ResourceTransformation:
    """Let each resource of a machine be known by the name that it has in the stack state.

    The SDK's own rule for children covers those alone whose names begin with their parent's.
    """

    def rename(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        former = pulumi.Alias(name=spec.formerly + args.name.removeprefix(spec.name))
        aliases = pulumi.ResourceOptions(aliases=[former])
        return pulumi.ResourceTransformationResult(args.props, pulumi.ResourceOptions.merge(args.opts, aliases))

    return rename


@dataclass(frozen=True)
class _Daemon:
    engine_version: pulumi.Input[str]
    certificate_expiry: pulumi.Input[str]


def _adopted(spec: MachineSpec) -> _Daemon:
    """Take an engine that someone else configured as it is: nothing on the host is touched."""
    return _Daemon(spec.adopted.get("engine_version", ""), spec.adopted.get("certificate_expiry", ""))


def _daemon(
    spec: MachineSpec,
    authority: Authority,
    vm: drivers.Vm,
    connection: command.remote.ConnectionArgs,
    opts: pulumi.ResourceOptions,
) -> _Daemon:
    certificate = ServerCertificate(
        spec.name,
        authority,
        addresses=[vm.address, vm.private_address],
        sans=spec.tls_sans,
        running=spec.running,
        opts=opts,
    )
    engine = Engine(
        spec.name,
        spec=spec.engine,
        connection=connection,
        vm=vm.resource,
        instance_id=vm.instance_id,
        port=vm.engine_port,
        ca_cert=authority.admitted,
        server_cert=certificate.cert,
        server_key=certificate.key,
        provider=spec.provider,
        running=spec.running,
        opts=opts,
    )
    after: pulumi.Resource = engine
    if vm.shares:
        after = shares.mount(spec, vm.shares, connection, vm.resource, vm.instance_id, after=engine, opts=opts)
    provision(spec, connection, vm, after=after, opts=opts)
    return _Daemon(engine.engine_version, certificate.expiry)


def _identity(spec: MachineSpec, owner: str, opts: pulumi.ResourceOptions) -> drivers.Identity:
    user = tls.PrivateKey(f"{spec.name}-ssh-key", algorithm="ED25519", opts=opts)
    host = tls.PrivateKey(f"{spec.name}-ssh-host-key", algorithm="ED25519", opts=opts)
    return drivers.Identity(
        user_public_key=user.public_key_openssh.apply(str.strip),
        user_private_key=user.private_key_openssh,
        host_public_key=host.public_key_openssh.apply(str.strip),
        host_private_key=host.private_key_openssh,
        tags=ownership.tags(owner, pulumi.get_project(), pulumi.get_stack(), spec.host_name),
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
    """Write the daemon's URL, none without an address; an IPv6 address goes into brackets (RFC 3986, 3.2.2)."""
    if not address:
        return ""
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def _outputs(spec: MachineSpec, authority: Authority, vm: drivers.Vm, daemon: _Daemon) -> dict[str, pulumi.Output[Any]]:
    public = {
        "name": spec.name,
        "provider": spec.provider,
        "instance_id": vm.instance_id,
        "address": vm.address,
        "private_address": vm.private_address,
        "ssh_user": vm.ssh_user,
        "ssh_port": vm.ssh_port,
        "docker_url": pulumi.Output.all(vm.address, vm.docker_port).apply(lambda at: docker_url(*at)),
        "engine_version": daemon.engine_version,
        "ssh_host_key": vm.ssh_host_key,
        "certificate_expiry": daemon.certificate_expiry,
        "labels": dict(label.split("=", 1) for label in spec.engine.labels),
        "running": spec.running,
        "engine": _engine_facts(spec.engine),
        "tls_sans": list(spec.tls_sans),
    }
    certificates = vm.certificates or {part: getattr(authority, part) for part in CERTIFICATES}
    public |= {part: certificates[part] for part in CERTIFICATES[:2]}
    secret = {"client_key": certificates["client_key"], "ssh_private_key": vm.ssh_private_key}
    return {key: pulumi.Output.from_input(value) for key, value in public.items()} | {
        key: pulumi.Output.secret(value) for key, value in secret.items()
    }


def _engine_facts(spec: EngineSpec) -> dict[str, Any]:
    """Give the engine's settings as asked for, with the user and password of a proxy or a mirror starred out."""
    return {
        key: [_starred(text) for text in value] if isinstance(value, tuple) else _starred(value)
        for key, value in vars(spec).items()
    }


def _starred(text: str) -> str:
    return PASSWORD_IN_URL.sub("***", text)
