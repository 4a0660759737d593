"""One module per provider, and the one lazy table that lists them.

A driver's module holds a `DRIVER`. Adding one touches: its module, one line of TABLE, one extra in pyproject.toml, and
one table of the stand-in clouds in tests/. Nothing here imports pulumi or a cloud's SDK.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, fields
from enum import Enum
from importlib import import_module
from typing import TYPE_CHECKING, Any

from infra import cloud_init
from infra.components import files
from infra.components.drivers.options import flag, from_environment, option, read_args
from infra.components.engine_scripts.configure import PORT
from infra.errors import PreCreateError, UsageError
from infra.machine import MachineSpec, suggest

if TYPE_CHECKING:
    import pulumi

    from infra.components.shares import Shares

__all__ = [
    "ALIASES",
    "EXTRAS",
    "LIMIT",
    "TABLE",
    "About",
    "Driver",
    "Finding",
    "Identity",
    "Orphan",
    "Power",
    "Prices",
    "Vm",
    "bounded",
    "flag",
    "from_environment",
    "load",
    "names",
    "option",
    "read_args",
]
TABLE = {
    "aws": "infra.components.drivers.aws",
    "azure": "infra.components.drivers.azure",
    "digitalocean": "infra.components.drivers.digitalocean",
    "exoscale": "infra.components.drivers.exoscale",
    "gcp": "infra.components.drivers.gcp",
    "generic": "infra.components.drivers.generic",
    "hyperv": "infra.components.drivers.hyperv",
    "none": "infra.components.drivers.none",
    "openstack": "infra.components.drivers.openstack",
    "qemu": "infra.components.drivers.qemu",
    "rackspace": "infra.components.drivers.rackspace",
    "softlayer": "infra.components.drivers.softlayer",
    "vcd": "infra.components.drivers.vcd",
    "virtualbox": "infra.components.drivers.virtualbox",
    "vmwarefusion": "infra.components.drivers.vmwarefusion",
    "vsphere": "infra.components.drivers.vsphere",
}
LIMIT = "20m"  # no provider takes longer for one resource
ALIASES: dict[str, str] = {
    "amazonec2": "aws",
    "google": "gcp",
    "ibm": "softlayer",
    "vmwarevcloudair": "vcd",
    "vmwarevsphere": "vsphere",
}
# The pip extra that brings a provider's SDK, where it is not called as the provider.
EXTRAS: dict[str, str] = {
    "rackspace": "openstack",
}


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a new VM is known by.

    Keys: the user's, and the host's own pair, so that it is known before the first connection; the private ones are
    secret, all are in OpenSSH format. tags: whose it is; everything that the driver makes bears them.
    """

    user_public_key: pulumi.Input[str]
    user_private_key: pulumi.Input[str]
    host_public_key: pulumi.Input[str]
    host_private_key: pulumi.Input[str]
    tags: Mapping[str, str]

    def user_data(self, spec: MachineSpec, user: str) -> pulumi.Output[str]:
        """Write the cloud-init user data that lets the user log in (secret: the host's private key is in it)."""
        import pulumi

        own = files.read(spec.name, spec.user_data, "user data", "--user-data")
        keys = pulumi.Output.all(self.user_public_key, self.host_private_key, self.host_public_key)
        return pulumi.Output.secret(
            keys.apply(
                lambda texts: cloud_init.user_data(
                    hostname=spec.host_name,
                    user=user,
                    authorized_key=texts[0],
                    host_private_key=texts[1],
                    host_public_key=texts[2],
                    own=own,
                )
            )
        )


@dataclass(frozen=True, kw_only=True)
class Vm:
    """What a driver's VM offers to the rest of the machine.

    resource: whatever lives on the VM is `deleted_with` it. ssh_private_key: None means the SSH agent. docker_port:
    where the daemon's port is reached. engine_port: where the daemon listens on the host. ssh_host_key: authorized_keys
    style, `ssh-ed25519 AAAA…`. ssh_port: 0 where there is no SSH. certificates: `ca_cert`, `client_cert` and
    `client_key` (secret), PEM, where they are not the stack's. shares: folders of this computer.
    """

    resource: pulumi.Resource
    instance_id: pulumi.Input[str]
    address: pulumi.Input[str]
    private_address: pulumi.Input[str]
    ssh_user: pulumi.Input[str]
    ssh_port: pulumi.Input[int]
    ssh_private_key: pulumi.Input[str] | None
    ssh_host_key: pulumi.Input[str]
    docker_port: pulumi.Input[int]
    engine_port: int = PORT
    shares: Shares | None = None
    certificates: Mapping[str, pulumi.Input[str]] | None = None


class Power(Enum):
    """What is done to a machine's power: START; STOP, asking the guest; KILL, not asking it."""

    START = "start"
    STOP = "stop"
    KILL = "kill"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. mend: a command or a step. needed: without it `create` can't run."""

    name: str
    ok: bool
    value: str
    mend: str = ""
    needed: bool = True

    @classmethod
    def named(cls, kind: str, name: str, option: str, *, there: bool) -> Finding:
        """Say whether what an option names is there."""
        said = name if there else f"there is no {name}"
        return cls(kind, ok=there, value=said, mend=f"choose another with {option}")


@dataclass(frozen=True, kw_only=True)
class Orphan:
    """Something at the provider that bears our tags. id: as the stack state has it. delete: waits until it is gone."""

    kind: str
    id: str
    name: str
    stack: str
    machine: str
    delete: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class About:
    """What the provider's page says beside its options. Each text is Markdown.

    title: the provider's own name. credentials: where the vendor's chain looks for them. example: a `mctl create` line.
    makes: what one machine consists of. costs: what of it is paid for, and until when. untold: what `mctl doctor` can't
    learn there of who one is, the place, permissions and quotas.
    """

    title: str
    credentials: str
    example: str
    makes: str
    costs: str
    untold: str = ""


@dataclass(frozen=True, kw_only=True)
class Prices:
    """How a provider's own API tells prices of VMs.

    declared, made: what the price goes by, such as the size, of a driver's args and of the VM's outputs in the stack
    state. ask: gives US dollars a month for each, and leaves out what it has no price of.
    """

    declared: Callable[[Any], str]
    made: Callable[[Mapping[str, Any]], str]
    ask: Callable[[Collection[str]], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True)
class Driver:
    """One provider.

    args: a frozen keyword-only dataclass whose fields are made by `option`: they are the command line's options.
    One called `zone` is what `--zones` chooses. vm: makes the VM: (spec, args, identity, opts) -> Vm; `identity` is
    None where `makes_vm` is False. check: looks, before anything is made, whether create could work, and fills in
    what only this computer knows; raises PreCreateError or UsageError. has_host: False where a daemon is all that can
    be reached, so that nothing is installed, configured or switched. declares_power: `running` in the spec
    switches the machine on and off by an `up`. power: does it at the provider where a declaration can't: (args,
    instance_id, Power), and returns once it is so; raises HostError, and NotFoundError where it is gone. is_local:
    the machine lives on this computer: it can't be handed to another, and there is nothing to go through.
    private_address: its VMs have one that can be reached. closes: its firewall lets in only `allow_cidrs`.
    passes_esp: a firewall there lets in IPsec too, not TCP, UDP and ICMP alone. no_capacity: what the provider says
    where a zone is full, in small letters. spot: the options that ask for spare capacity, the flag first; the
    option `spot_fallback` allows to do without where there is none. account: says who one is there, where, and
    which permissions or quotas are missing. policy: the least permissions, in the provider's own notation. orphans:
    lists what bears these tags, in an order in which it can be deleted. find: gives the address of an instance that
    is there, by its id; raises NotFoundError. prices: where its API tells any.
    """

    name: str
    args: type[Any]
    vm: Callable[[MachineSpec, Any, Identity | None, pulumi.ResourceOptions], Vm]
    check: Callable[[MachineSpec, Any], MachineSpec] = lambda spec, _args: spec
    makes_vm: bool = True
    has_host: bool = True
    declares_power: bool = True
    power: Callable[[Any, str, Power], None] | None = None
    is_local: bool = False
    private_address: bool = False
    closes: bool = False
    passes_esp: bool = True
    no_capacity: tuple[str, ...] = ()
    spot: tuple[str, ...] = ()
    account: Callable[[Any], Iterator[Finding]] | None = None
    policy: str = ""
    orphans: Callable[[Any, Mapping[str, str]], Iterator[Orphan]] | None = None
    find: Callable[[Any, str], str] | None = None
    prices: Prices | None = None
    about: About | None = None

    @property
    def has_zones(self) -> bool:
        """Tell whether its machines are in one zone of several."""
        return any(declared.name == "zone" for declared in fields(self.args))

    @property
    def switches(self) -> bool:
        """Tell whether its machines can be switched on and off."""
        return self.declares_power or self.power is not None


def bounded(opts: pulumi.ResourceOptions, **more: Any) -> pulumi.ResourceOptions:
    """Give a resource's options, with a limit on every wait for it. more: further options."""
    import pulumi

    limits = pulumi.CustomTimeouts(create=LIMIT, update=LIMIT, delete=LIMIT)
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(custom_timeouts=limits, **more))


def names() -> list[str]:
    """List every provider's name."""
    return sorted(TABLE)


def load(provider: str) -> Driver:
    """Import one driver by provider name or alias. Raises UsageError where there is none."""
    name = ALIASES.get(provider, provider)
    if name not in TABLE:
        known = sorted([*TABLE, *ALIASES])
        raise UsageError(
            f"unknown provider {provider!r}{suggest(provider, known)}",
            mend=f"--provider takes one of: {', '.join(names())}",
        )
    try:
        driver: Driver = import_module(TABLE[name]).DRIVER
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("infra"):
            raise
        raise PreCreateError(
            f"provider {name} needs the Python package {error.name}",
            mend=f"uv tool install 'mctl[{EXTRAS.get(name, name)}]'",
        ) from None
    return driver
