"""An Azure virtual machine.

Options are spelled as docker-machine's azure driver spells them. Power is an action of Azure's API, so it is asked for
there: https://learn.microsoft.com/rest/api/compute/virtual-machines.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass

import pulumi
import pulumi_azure_native as azure  # loads its modules at their first use

from infra.components import firewall
from infra.components.drivers import (
    About,
    Driver,
    Identity,
    Power,
    Vm,
    azure_account,
    azure_api,
    azure_network,
    bounded,
    option,
)
from infra.components.drivers.azure_network import Site
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError
from infra.machine import MachineSpec

UBUNTU = "Canonical:ubuntu-24_04-lts:server:latest"
UBUNTU_ARM = "Canonical:ubuntu-24_04-lts:server-arm64:latest"
# https://learn.microsoft.com/azure/virtual-machines/vm-naming-conventions: `p` is for Arm.
ARM_SIZE = re.compile(r"Standard_[A-Z]+\d+(-\d+)?[a-z]*p[a-z]*(_v\d+)?")
SUBNET = "docker-machine"
ACTION_SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class AzureArgs:
    """Say how large the VM is, where it is, what it starts from and which network it is in."""

    location: str = option("westus2", help="Region", env="AZURE_LOCATION")
    zone: str = option("", help="Availability zone: 1, 2 or 3; default: none in particular", env="AZURE_ZONE")
    size: str = option("Standard_B2ls_v2", help="Size of the VM", env="AZURE_SIZE")
    image: str = option(
        "",
        help="Image, as PUBLISHER:OFFER:SKU:VERSION or its id; default: Ubuntu 24.04 for the size's processor",
        env="AZURE_IMAGE",
    )
    disk_size: int = option(30, help="Disk in GiB", env="AZURE_DISK_SIZE")
    storage_type: str = option("StandardSSD_LRS", help="Kind of the disk", env="AZURE_STORAGE_TYPE")
    ssh_user: str = option("docker-user", help="User to make and log in as", env="AZURE_SSH_USER")
    resource_group: str = option(
        "", help="Existing resource group; default: one of the machine's own", env="AZURE_RESOURCE_GROUP"
    )
    vnet: str = option(
        "", help="Existing network, as [GROUP:]NAME; default: one of the machine's own", env="AZURE_VNET"
    )
    subnet: str = option(SUBNET, help="Subnet of the network", env="AZURE_SUBNET")
    subnet_prefix: str = option("10.0.0.0/24", help="CIDR of a network of its own", env="AZURE_SUBNET_PREFIX")
    private_ip_address: str = option("", help="Private address; default: Azure's choice")
    no_public_ip: bool = option(default=False, help="Give it no public address: needs --private-address-only")
    dns: str = option("", help="DNS label of the public address", env="AZURE_DNS_LABEL")
    spot: bool = option(default=False, help="Use spare capacity, which Azure may take back", env="AZURE_SPOT")
    spot_fallback: bool = option(default=False, help="Pay the full price where there is no spare capacity")
    open_port: tuple[str, ...] = option((), help="Port to open to everyone: PORT or PORT/udp (repeatable)")


def vm(spec: MachineSpec, args: AzureArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the VM, its group, network, firewall and address. All but the first wait only for what they name."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    site = _site(spec, args, dict(identity.tags), opts)
    address = None if args.no_public_ip else azure_network.address(site)
    card = azure_network.card(site, address)
    private = card.ip_configurations.apply(lambda found: str((found and found[0].private_ip_address) or ""))
    machine = _machine(site, identity, card)
    return Vm(
        resource=machine,
        instance_id=machine.id,
        address=address.ip_address.apply(lambda found: found or "") if address else private,
        private_address=private,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _site(spec: MachineSpec, args: AzureArgs, tags: dict[str, str], opts: pulumi.ResourceOptions) -> Site:
    if args.resource_group:
        return Site(spec, args, args.resource_group, tags, bounded(opts))
    group = azure.resources.ResourceGroup(f"{spec.name}-group", location=args.location, tags=tags, opts=bounded(opts))
    return Site(spec, args, group.name, tags, bounded(opts, deleted_with=group))


def _machine(site: Site, identity: Identity, card: azure.network.NetworkInterface) -> azure.compute.VirtualMachine:
    args = site.args
    # A card can't be in two VMs at once, and a newer image is none of an existing VM's concern.
    more = pulumi.ResourceOptions(delete_before_replace=True, ignore_changes=["storageProfile.imageReference"])
    return azure.compute.VirtualMachine(
        f"{site.spec.name}-vm",
        resource_group_name=site.group,
        location=args.location,
        zones=[args.zone] if args.zone else None,
        hardware_profile=azure.compute.HardwareProfileArgs(vm_size=args.size),
        os_profile=_system(site, identity),
        storage_profile=_storage(args),
        network_profile=azure.compute.NetworkProfileArgs(
            network_interfaces=[azure.compute.NetworkInterfaceReferenceArgs(id=card.id, primary=True)]
        ),
        priority="Spot" if args.spot else None,
        eviction_policy="Deallocate" if args.spot else None,
        tags=site.tags,
        opts=pulumi.ResourceOptions.merge(site.opts, more),
    )


def _system(site: Site, identity: Identity) -> azure.compute.OSProfileArgs:
    user = site.args.ssh_user
    data = identity.user_data(site.spec, user).apply(lambda text: b64encode(text.encode()).decode())
    key = azure.compute.SshPublicKeyArgs(path=f"/home/{user}/.ssh/authorized_keys", key_data=identity.user_public_key)
    return azure.compute.OSProfileArgs(
        computer_name=site.spec.host_name,
        admin_username=user,
        custom_data=data,
        linux_configuration=azure.compute.LinuxConfigurationArgs(
            disable_password_authentication=True, ssh=azure.compute.SshConfigurationArgs(public_keys=[key])
        ),
    )


def _storage(args: AzureArgs) -> azure.compute.StorageProfileArgs:
    """Describe the disk, which Azure encrypts with its own keys, and which goes with the VM."""
    return azure.compute.StorageProfileArgs(
        image_reference=_image(args),
        os_disk=azure.compute.OSDiskArgs(
            create_option="FromImage",
            delete_option="Delete",
            disk_size_gb=args.disk_size,
            managed_disk=azure.compute.ManagedDiskParametersArgs(storage_account_type=args.storage_type),
        ),
    )


def _image(args: AzureArgs) -> azure.compute.ImageReferenceArgs:
    image = args.image or (UBUNTU_ARM if ARM_SIZE.fullmatch(args.size) else UBUNTU)
    if image.startswith("/"):
        return azure.compute.ImageReferenceArgs(id=image)
    publisher, offer, sku, version = image.split(":")
    return azure.compute.ImageReferenceArgs(publisher=publisher, offer=offer, sku=sku, version=version)


def check(spec: MachineSpec, args: AzureArgs) -> MachineSpec:
    """Refuse what Azure would refuse only after all else is made. Raises UsageError."""
    azure_account.check(spec, args)
    return spec


def power(_args: AzureArgs, instance_id: str, wanted: Power) -> None:
    """Start the VM, or shut it down and give back its processor, which is no longer paid for then. Raises HostError."""
    _, _, subscription, _, group, *_, name = instance_id.split("/")
    machines = azure_api.compute(subscription).virtual_machines
    with azure_api.asked():
        if wanted is Power.KILL:
            machines.begin_power_off(group, name, skip_shutdown=True).result(ACTION_SECONDS)
        act = machines.begin_start if wanted is Power.START else machines.begin_deallocate
        acting = act(group, name)
        acting.result(ACTION_SECONDS)
    if not acting.done():
        raise HostError(f"Azure did not {wanted.value} VM {name} within {ACTION_SECONDS} s")


ABOUT = About(
    title="Azure",
    credentials=(
        "`az login`, or a service principal in `ARM_CLIENT_ID`, `ARM_CLIENT_SECRET` and `ARM_TENANT_ID`; "
        "the subscription in `ARM_SUBSCRIPTION_ID`."
    ),
    example="mctl create web-1 --provider azure --azure-location westeurope",
    makes=(
        "A resource group with a VM and its encrypted disk, a network interface, a static public address, a virtual "
        "network, and a security group that lets in SSH and Docker from the allowed networks only. A resource group "
        "or network that you name is used and never deleted."
    ),
    costs="The VM while it is on; its disk and public address until it is removed. All else is free.",
    untold="Azure does not tell whose login it is: the subscription is named.",
)
DRIVER = Driver(
    name="azure",
    args=AzureArgs,
    vm=vm,
    check=check,
    declares_power=False,
    power=power,
    private_address=True,
    closes=True,
    # https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/error-sku-not-available
    no_capacity=(
        "allocationfailed",
        "overconstrainedallocationrequest",
        "overconstrainedzonalallocationrequest",
        "skunotavailable",
    ),
    spot=("spot",),
    account=azure_account.account,
    policy=azure_account.POLICY,
    orphans=azure_account.orphans,
    find=azure_account.find,
    about=ABOUT,
)
