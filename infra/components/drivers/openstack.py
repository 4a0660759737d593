"""An OpenStack server, with a port, a floating IP and a security group of its own.

Options are spelled as docker-machine's openstack driver spells them. Who one is comes from the environment (`OS_…`) or
clouds.yaml: https://docs.openstack.org/python-openstackclient/latest/configuration/index.html.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import pulumi
import pulumi_openstack as openstack

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Identity, Vm, bounded, openstack_api, openstack_network, option
from infra.components.engine_scripts.configure import PORT
from infra.errors import PreCreateError, UsageError
from infra.machine import MachineSpec

IMAGES = r"(?i)^debian[ -_]*12\b(?!.*(arm|aarch))"  # a flavor does not tell its architecture


@dataclass(frozen=True, kw_only=True)
class OpenStackArgs:
    """Say how large the server is, where it is and what it starts from."""

    provider: ClassVar[str] = "openstack"

    region: str = option("", help="Region; default: the environment's", env="OS_REGION_NAME")
    zone: str = option(
        "", help="Availability zone", env="OS_AVAILABILITY_ZONE", aliases=("--openstack-availability-zone",)
    )
    flavor_name: str = option("", help="Flavor, by its name", env="OS_FLAVOR_NAME")
    flavor_id: str = option("", help="Flavor, by its id", env="OS_FLAVOR_ID")
    image_name: str = option("", help="Image, by its name; default: the newest Debian 12", env="OS_IMAGE_NAME")
    image_id: str = option("", help="Image, by its id", env="OS_IMAGE_ID")
    net_name: str = option("", help="Network, by its name; default: the only one", env="OS_NETWORK_NAME")
    net_id: str = option("", help="Network, by its id", env="OS_NETWORK_ID")
    floatingip_pool: str = option("", help="Network that gives it a floating IP", env="OS_FLOATINGIP_POOL")
    ip_version: int = option(4, help="Which of its own addresses is used, 4 or 6", env="OS_IP_VERSION")
    sec_groups: tuple[str, ...] = option(
        (), help="Further security group, by its name (repeatable)", env="OS_SECURITY_GROUPS"
    )
    boot_from_volume: bool = option(
        default=False, help="Boot from a new volume, deleted with the server", env="OS_BOOT_FROM_VOLUME"
    )
    volume_size: int = option(20, help="Size of that volume in GiB", env="OS_VOLUME_SIZE")
    volume_type: str = option("", help="Type of that volume, say an encrypted one", env="OS_VOLUME_TYPE")
    config_drive: bool = option(
        default=False, help="Give it its user data on a drive, not over the network", env="OS_CONFIG_DRIVE"
    )
    metadata: tuple[str, ...] = option((), help="Further metadata: KEY,VALUE,KEY,VALUE", env="OS_METADATA")
    ssh_user: str = option("root", help="User to log in as; made where it is another", env="OS_SSH_USER")
    open_port: tuple[str, ...] = option((), help="Port to open to everyone: PORT or PORT/udp (repeatable)")

    def connection(self) -> dict[str, str]:
        """Say what the environment need not: where the API is."""
        return {"region_name": self.region} if self.region else {}

    def pairs(self) -> dict[str, str]:
        """Read the further metadata."""
        return dict(zip(self.metadata[::2], self.metadata[1::2], strict=True))


def check(spec: MachineSpec, args: OpenStackArgs) -> MachineSpec:
    """Look whether the options say enough, and find the network where none is named.

    Raises UsageError, PreCreateError, and HostError where the API fails.
    """
    flag = f"--{args.provider}"
    if not (args.flavor_name or args.flavor_id):
        raise UsageError(f"provider {args.provider} needs {flag}-flavor-name or {flag}-flavor-id", machine=spec.name)
    if args.ip_version not in (4, 6):
        raise UsageError(f"{flag}-ip-version {args.ip_version} is neither 4 nor 6", machine=spec.name)
    if len(args.metadata) % 2:
        raise UsageError(f"{flag}-metadata is not KEY,VALUE,KEY,VALUE", machine=spec.name)
    if args.net_name or args.net_id:
        return spec
    networks = openstack_api.networks(args)
    if len(networks) != 1:
        known = f"choose one of: {', '.join(sorted(networks.values()))}" if networks else "make one"
        raise PreCreateError(
            f"the project has {len(networks)} networks", machine=spec.name, mend=f"{known}: {flag}-net-name NETWORK"
        )
    return replace(spec, options={**spec.options, "net_id": next(iter(networks))})


def vm(spec: MachineSpec, args: OpenStackArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the server, its key, its port and what leads there."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    key = openstack.compute.Keypair(
        f"{spec.name}-key",
        name=ownership.name(identity.tags, *openstack_api.KEY_PAIR),
        public_key=identity.user_public_key,
        opts=bounded(opts),
        region=args.region or None,
    )
    port = openstack_network.port(spec, args, identity, opts)
    server = _server(spec, args, identity, key, port, opts)
    own = openstack_network.own_address(port, args.ip_version)
    return Vm(
        resource=server,
        instance_id=server.id,
        address=openstack_network.floating(spec, args, identity, port, opts) if args.floatingip_pool else own,
        private_address=own,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _server(
    spec: MachineSpec,
    args: OpenStackArgs,
    identity: Identity,
    key: openstack.compute.Keypair,
    port: openstack.networking.Port,
    opts: pulumi.ResourceOptions,
) -> openstack.compute.Instance:
    image = args.image_id or _image(args, opts)
    return openstack.compute.Instance(
        f"{spec.name}-server",
        name=spec.name,
        availability_zone=args.zone or None,
        flavor_id=args.flavor_id or None,
        flavor_name=None if args.flavor_id else args.flavor_name,
        image_id=None if args.boot_from_volume else image,
        block_devices=[_volume(args, image)] if args.boot_from_volume else None,
        key_pair=key.name,
        networks=[openstack.compute.InstanceNetworkArgs(port=port.id)],
        user_data=identity.user_data(spec, args.ssh_user),
        config_drive=args.config_drive or None,
        metadata={**args.pairs(), **identity.tags},
        power_state="active" if spec.running else "shutoff",
        # A port is in one server at a time.
        opts=bounded(opts, delete_before_replace=True, ignore_changes=_ignored(args)),
        region=args.region or None,
    )


def _volume(args: OpenStackArgs, image: pulumi.Input[str]) -> openstack.compute.InstanceBlockDeviceArgs:
    return openstack.compute.InstanceBlockDeviceArgs(
        source_type="image",
        destination_type="volume",
        uuid=image,
        volume_size=args.volume_size,
        volume_type=args.volume_type or None,
        boot_index=0,
        delete_on_termination=True,
    )


def _ignored(args: OpenStackArgs) -> list[str]:
    """An image that was looked up stays: a newer one is no reason for a new server."""
    if args.image_id:
        return []
    return ["blockDevices[0].uuid"] if args.boot_from_volume else ["imageId"]


def _image(args: OpenStackArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    found = openstack.images.get_image_output(
        name=args.image_name or None,
        name_regex=None if args.image_name else IMAGES,
        most_recent=True,
        region=args.region or None,
        opts=openstack_network.lookup(opts),
    )
    return found.id


ABOUT = About(
    title="OpenStack",
    credentials="An openrc file's variables (`OS_AUTH_URL`, `OS_USERNAME`, `OS_APPLICATION_CREDENTIAL_ID` …), or "
    "`OS_CLOUD`, the name of an entry in `clouds.yaml`.",
    example="mctl create web-1 --provider openstack --openstack-flavor-name m1.small",
    makes="A server, a key pair, a port in your network, a security group that lets in SSH and Docker from the allowed "
    "networks only, and a floating IP where a pool is named. With `--openstack-boot-from-volume`, a volume.",
    costs="The server and its volume until they are removed, mostly also while it is off, and the floating IP, which "
    "is given back with the machine.",
)
POLICY = """\
The role `member` in one project is enough, say as an application credential:
openstack application credential create mctl --role member"""
NO_CAPACITY = ("no valid host was found", "unexpected state 'error', wanted target 'active'")
DRIVER = Driver(
    name=OpenStackArgs.provider,
    args=OpenStackArgs,
    vm=vm,
    check=check,
    private_address=True,
    closes=True,
    no_capacity=NO_CAPACITY,
    account=openstack_api.account,
    policy=POLICY,
    orphans=openstack_api.orphans,
    find=openstack_api.find,
    about=ABOUT,
)
