"""Whose subscription of Azure it is, what it lets one do, and what is left behind in it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError, ResourceNotFoundError

from infra.components import ownership
from infra.components.drivers import Finding, Orphan
from infra.errors import HostError, NotFoundError, UsageError
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

    from infra.components.drivers.azure import AzureArgs

# In the plugin's own spelling, and in that of the vendor's other tools.
SECRETS = ("CLIENT_ID", "CLIENT_SECRET", "TENANT_ID")
SUBSCRIPTION = "SUBSCRIPTION_ID"
ENDPOINT = "AZURE_ARM_ENDPOINT"
HOSTS = {
    "public": ("https://management.azure.com", "https://login.microsoftonline.com"),
    "usgovernment": ("https://management.usgovcloudapi.net", "https://login.microsoftonline.us"),
    "china": ("https://management.chinacloudapi.cn", "https://login.chinacloudapi.cn"),
}
# https://learn.microsoft.com/azure/virtual-machines/linux/faq: names that no user of a VM may have, of many.
FORBIDDEN_USERS = {"root", "admin", "administrator", "guest", "owner", "sys", "test", "user"}
# In the order in which they can be deleted, each with the version of its API.
KINDS = {
    "Microsoft.Compute/virtualMachines": ("VM", "2024-07-01"),
    "Microsoft.Compute/disks": ("disk", "2024-03-02"),
    "Microsoft.Network/networkInterfaces": ("network interface", "2024-05-01"),
    "Microsoft.Network/publicIPAddresses": ("public address", "2024-05-01"),
    "Microsoft.Network/networkSecurityGroups": ("security group", "2024-05-01"),
    "Microsoft.Network/virtualNetworks": ("network", "2024-05-01"),
}
DELETE_SECONDS = 600


def compute(subscription: str) -> Any:
    """Open the API of VMs."""
    from azure.mgmt.compute import ComputeManagementClient

    return _opened(ComputeManagementClient, subscription)


def _resources(subscription: str) -> Any:
    from azure.mgmt.resource.resources import ResourceManagementClient

    return _opened(ResourceManagementClient, subscription)


def _opened(client: Callable[..., Any], subscription: str) -> Any:
    base = os.environ.get(ENDPOINT) or HOSTS[_environment()][0]
    scopes = [f"{HOSTS[_environment()][0]}/.default"]
    return client(_credential(), subscription, base_url=base, credential_scopes=scopes)


def _environment() -> str:
    named = os.environ.get("ARM_ENVIRONMENT", "public").lower()
    return named if named in HOSTS else "public"


def _credential() -> TokenCredential:
    """Log in as the plugin does: its variables first, then the chain, `az login` in it."""
    from azure.identity import ClientSecretCredential, DefaultAzureCredential

    own = os.environ.get("AZURE_AUTHORITY_HOST")
    # Azure's own hosts vouch for each other; one that is none of them has nobody who does.
    where = {"authority": own or HOSTS[_environment()][1], "disable_instance_discovery": bool(own)}
    values = [os.environ.get(f"ARM_{name}", "") for name in SECRETS]
    if all(values):
        client, secret, tenant = values
        return ClientSecretCredential(tenant, client, secret, **where)
    return DefaultAzureCredential(**where)


@contextmanager
def asked() -> Iterator[None]:
    """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
    try:
        yield
    except ResourceNotFoundError as error:
        raise NotFoundError(f"Azure: {_said(error)}", mend="mctl refresh, then mctl up, makes it again") from None
    except AzureError as error:
        mend = "mctl doctor --provider azure says what is missing"
        raise HostError(f"Azure: {_said(error)}", mend=mend) from None


def _said(error: AzureError) -> str:
    return error.message.strip().split("\n")[0]


def check(spec: MachineSpec, args: AzureArgs) -> None:
    """Refuse what Azure would refuse only after all else is made. Raises UsageError."""
    if args.ssh_user in FORBIDDEN_USERS:
        raise UsageError(
            f"Azure lets no user be called {args.ssh_user}", machine=spec.name, mend="give another --azure-ssh-user"
        )
    if args.image and not re.fullmatch(r"/subscriptions/.+|[^:/]+(:[^:/]+){3}", args.image):
        mend = "give --azure-image as PUBLISHER:OFFER:SKU:VERSION, or an image's id: /subscriptions/…"
        raise UsageError(f"{args.image!r} is no image of Azure", machine=spec.name, mend=mend)
    if args.no_public_ip and not spec.private_address_only:
        mend = "add --private-address-only"
        raise UsageError("without a public address only the private one is left", machine=spec.name, mend=mend)


def _subscription() -> str:
    return os.environ.get(f"ARM_{SUBSCRIPTION}") or os.environ.get(f"AZURE_{SUBSCRIPTION}") or ""


def account(args: AzureArgs) -> Iterator[Finding]:
    """Say which subscription it is, whether the size is to be had there, and how many processors are left."""
    subscription = _subscription()
    if not subscription:
        mend = f"export ARM_{SUBSCRIPTION}=ID: az account show --query id"
        yield Finding("Credentials", ok=False, value="no subscription is named", mend=mend)
        return
    yield from _spelling()
    client = compute(subscription)
    try:
        with asked():
            there = client.resource_skus.list(filter=f"location eq '{args.location}'")
            sizes = {each.name: each for each in there if each.resource_type == "virtualMachines"}
            usages = {each.name.value: each for each in client.usage.list(args.location)} if sizes else {}
    except (HostError, NotFoundError) as error:
        mend = (
            "az login, or export ARM_CLIENT_ID, ARM_CLIENT_SECRET and ARM_TENANT_ID of one who may: mctl policy azure"
        )
        yield Finding("Credentials", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Account", ok=True, value=f"subscription {subscription}")
    trouble = _trouble(args, sizes)
    mend = "choose another with --azure-location, --azure-zone or --azure-size"
    yield Finding("Region", ok=not trouble, value=trouble or args.location, mend=mend)
    if not trouble:
        yield _quota(args, sizes[args.size], usages)


def _spelling() -> Iterator[Finding]:
    """Find variables that only the vendor's other tools would read."""
    names = [name for name in (*SECRETS, SUBSCRIPTION) if os.environ.get(f"AZURE_{name}")]
    absent = [name for name in names if not os.environ.get(f"ARM_{name}")]
    if absent:
        mend = "export " + " ".join(f'ARM_{name}="$AZURE_{name}"' for name in absent)
        value = f"only AZURE_{absent[0]} is set: Pulumi's plugin reads ARM_{absent[0]}"
        yield Finding("Variables", ok=False, value=value, mend=mend)


def _trouble(args: AzureArgs, sizes: Mapping[str, Any]) -> str:
    size = sizes.get(args.size)
    if size is None:
        return f"{args.location} has no size {args.size}"
    if any(each.type == "Location" for each in size.restrictions or ()):
        return f"{args.location} has no size {args.size} for this subscription"
    zones = {zone for place in size.location_info or () for zone in place.zones or ()}
    return (
        f"{args.location} has no size {args.size} in zone {args.zone}" if args.zone and args.zone not in zones else ""
    )


def _quota(args: AzureArgs, size: Any, usages: Mapping[str, Any]) -> Finding:
    wanted = next((int(each.value) for each in size.capabilities or () if each.name == "vCPUs"), 1)
    counted = ("lowPriorityCores",) if args.spot else ("cores", size.family)
    limits = [usages[name] for name in counted if name in usages]
    left = min((each.limit - each.current_value for each in limits), default=wanted)
    return Finding(
        "Quota",
        ok=left >= wanted,
        value=f"{left} vCPUs left, and {args.size} has {wanted}",
        mend="ask for more: portal.azure.com, Quotas; or choose another --azure-size",
    )


def orphans(_args: AzureArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List what bears the owner's tag, groups last: one that has anything else in it is not deleted."""
    client = _resources(_subscription())
    ours = f"tagName eq '{ownership.OWNER}' and tagValue eq '{tags[ownership.OWNER]}'"
    with asked():
        found = [each for each in client.resources.list(filter=ours) if each.type in KINDS and not each.managed_by]
        groups = list(client.resource_groups.list(filter=ours))
    order = list(KINDS)
    for each in sorted(found, key=lambda each: order.index(each.type)):
        kind, version = KINDS[each.type]
        delete = partial(client.resources.begin_delete_by_id, each.id.removeprefix("/"), api_version=version)
        yield _orphan(kind, each, partial(_deleted, delete))
    for group in groups:
        yield _orphan("resource group", group, partial(_delete_group, client, group.name))


def _orphan(kind: str, found: Any, delete: Callable[[], None]) -> Orphan:
    return Orphan(
        kind=kind,
        id=found.id,
        name=found.name,
        stack=found.tags.get(ownership.STACK, ""),
        machine=found.tags.get(ownership.MACHINE, ""),
        delete=delete,
    )


def _deleted(begin: Callable[[], Any]) -> None:
    with asked():
        deleting = begin()
        deleting.result(DELETE_SECONDS)
    if not deleting.done():
        raise HostError(f"Azure did not delete it within {DELETE_SECONDS} s", mend="mctl orphans shows what is left")


def _delete_group(client: Any, name: str) -> None:
    with asked():
        other = next(iter(client.resources.list_by_resource_group(name)), None)
    if other:
        raise HostError(
            f"resource group {name} is not empty: it has {other.name}", mend=f"az group delete --name {name}"
        )
    _deleted(partial(client.resource_groups.begin_delete, name))


POLICY = """\
{
  "Name": "mctl",
  "Description": "Make, switch and remove Docker hosts",
  "AssignableScopes": ["/subscriptions/SUBSCRIPTION_ID"],
  "Actions": [
    "Microsoft.Compute/disks/delete",
    "Microsoft.Compute/disks/read",
    "Microsoft.Compute/disks/write",
    "Microsoft.Compute/locations/usages/read",
    "Microsoft.Compute/skus/read",
    "Microsoft.Compute/virtualMachines/deallocate/action",
    "Microsoft.Compute/virtualMachines/delete",
    "Microsoft.Compute/virtualMachines/powerOff/action",
    "Microsoft.Compute/virtualMachines/read",
    "Microsoft.Compute/virtualMachines/start/action",
    "Microsoft.Compute/virtualMachines/write",
    "Microsoft.Network/networkInterfaces/delete",
    "Microsoft.Network/networkInterfaces/join/action",
    "Microsoft.Network/networkInterfaces/read",
    "Microsoft.Network/networkInterfaces/write",
    "Microsoft.Network/networkSecurityGroups/delete",
    "Microsoft.Network/networkSecurityGroups/join/action",
    "Microsoft.Network/networkSecurityGroups/read",
    "Microsoft.Network/networkSecurityGroups/write",
    "Microsoft.Network/publicIPAddresses/delete",
    "Microsoft.Network/publicIPAddresses/join/action",
    "Microsoft.Network/publicIPAddresses/read",
    "Microsoft.Network/publicIPAddresses/write",
    "Microsoft.Network/virtualNetworks/delete",
    "Microsoft.Network/virtualNetworks/read",
    "Microsoft.Network/virtualNetworks/subnets/delete",
    "Microsoft.Network/virtualNetworks/subnets/join/action",
    "Microsoft.Network/virtualNetworks/subnets/read",
    "Microsoft.Network/virtualNetworks/subnets/write",
    "Microsoft.Network/virtualNetworks/write",
    "Microsoft.Resources/subscriptions/resourceGroups/delete",
    "Microsoft.Resources/subscriptions/resourceGroups/read",
    "Microsoft.Resources/subscriptions/resourceGroups/write",
    "Microsoft.Resources/subscriptions/resources/read"
  ]
}"""
