"""Whose subscription of Azure it is, what it lets one do, and what is left behind in it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.components import ownership
from infra.components.drivers import Finding, Orphan, azure_api
from infra.errors import HostError, NotFoundError, UsageError
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from infra.components.drivers.azure import AzureArgs

SUBSCRIPTION = "SUBSCRIPTION_ID"
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
PERMISSIONS_VERSION = "2022-04-01"
ACTIONS = tuple(
    f"Microsoft.{kind}/{verb}"
    for kind, verbs in {
        "Authorization/permissions": "read",
        "Compute/disks": "delete read write",
        "Compute/locations/usages": "read",
        "Compute/skus": "read",
        "Compute/virtualMachines": "deallocate/action delete powerOff/action read start/action write",
        "Network/networkInterfaces": "delete join/action read write",
        "Network/networkSecurityGroups": "delete join/action read write",
        "Network/publicIPAddresses": "delete join/action read write",
        "Network/virtualNetworks": "delete read write",
        "Network/virtualNetworks/subnets": "delete join/action read write",
        "Resources/subscriptions/resourceGroups": "delete read write",
        "Resources/subscriptions/resources": "read",
    }.items()
    for verb in verbs.split()
)
# What is granted for a subscription alone, and whoever names a resource group has asked for already or needs not.
OF_SUBSCRIPTION = ("Microsoft.Compute/locations/", "Microsoft.Compute/skus/", "Microsoft.Resources/")
POLICY = json.dumps(
    {
        "Name": "mctl",
        "Description": "Make, switch and remove Docker hosts",
        "AssignableScopes": ["/subscriptions/SUBSCRIPTION_ID"],
        "Actions": ACTIONS,
    },
    indent=2,
)
VM_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/[^/]+/providers/Microsoft\.Compute/virtualMachines/[^/]+", re.I
)


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
    """Say which subscription it is, whether the size is to be had there, how much is left, what is not permitted."""
    subscription = _subscription()
    if not subscription:
        mend = f"export ARM_{SUBSCRIPTION}=ID: az account show --query id"
        yield Finding("Credentials", ok=False, value="no subscription is named", mend=mend)
        return
    yield from _spelling()
    client = azure_api.compute(subscription)
    try:
        with azure_api.asked():
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
    yield _permissions(args, subscription)


def _permissions(args: AzureArgs, subscription: str) -> Finding:
    """Compare what is granted with the role that is printed: in the resource group that is named, else in all."""
    group = f"/resourceGroups/{args.resource_group}" if args.resource_group else ""
    place = f"subscriptions/{subscription}{group}/providers/Microsoft.Authorization/permissions"
    read = partial(azure_api.resources(subscription).resources.get_by_id, api_version=PERMISSIONS_VERSION)
    try:
        with azure_api.asked():
            granted = read(place, cls=lambda answer, *_: answer.http_response.json())["value"]
    except (HostError, NotFoundError) as error:
        return Finding("Permissions", ok=False, value=f"unknown: {error.message}", needed=False)
    known = ("Microsoft.Authorization/", *(OF_SUBSCRIPTION if group else ()))  # the answer itself is a permission
    wanted = [action for action in ACTIONS if not action.startswith(known)]
    missing = [action for action in wanted if not any(_grants(each, action) for each in granted)]
    value = f"missing: {', '.join(missing)}" if missing else "all there"
    return Finding("Permissions", ok=not missing, value=value, mend="mctl policy azure prints a role that has them")


def _grants(role: Mapping[str, Any], action: str) -> bool:
    """Tell whether a role has an action: https://learn.microsoft.com/azure/role-based-access-control/role-definitions."""

    def named(kind: str) -> bool:
        return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in role.get(kind) or ())

    return named("actions") and not named("notActions")


def _spelling() -> Iterator[Finding]:
    """Find variables that only the vendor's other tools would read."""
    names = [name for name in (*azure_api.SECRETS, SUBSCRIPTION) if os.environ.get(f"AZURE_{name}")]
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
    client = azure_api.resources(_subscription())
    ours = f"tagName eq '{ownership.OWNER}' and tagValue eq '{tags[ownership.OWNER]}'"
    with azure_api.asked():
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
    with azure_api.asked():
        deleting = begin()
        deleting.result(DELETE_SECONDS)
    if not deleting.done():
        raise HostError(f"Azure did not delete it within {DELETE_SECONDS} s", mend="mctl orphans shows what is left")


def _delete_group(client: Any, name: str) -> None:
    with azure_api.asked():
        other = next(iter(client.resources.list_by_resource_group(name)), None)
    if other:
        raise HostError(
            f"resource group {name} is not empty: it has {other.name}", mend=f"az group delete --name {name}"
        )
    _deleted(partial(client.resource_groups.begin_delete, name))


def find(args: AzureArgs, instance_id: str) -> str:
    """Give the public address of a VM, else its private one. It is known by its id, or by its name in the group."""
    if "/" not in instance_id and args.resource_group:
        group = f"/subscriptions/{_subscription()}/resourceGroups/{args.resource_group}"
        instance_id = f"{group}/providers/Microsoft.Compute/virtualMachines/{instance_id}"
    known = VM_ID.fullmatch(instance_id)
    if not known:
        mend = "give its id, /subscriptions/…: az vm list --query '[].id'; or export AZURE_RESOURCE_GROUP=GROUP"
        raise UsageError(f"{instance_id!r} is no VM's id at Azure", mend=mend)
    client = azure_api.resources(known[1])
    with azure_api.asked():
        cards = _facts(client, "Microsoft.Compute/virtualMachines", instance_id)["networkProfile"]["networkInterfaces"]
        card = _facts(client, "Microsoft.Network/networkInterfaces", _first(cards)["id"])
        own = _first(card["ipConfigurations"])["properties"]
        public = own.get("publicIPAddress")
        found = _facts(client, "Microsoft.Network/publicIPAddresses", public["id"]) if public else {}
    return str(found.get("ipAddress") or own.get("privateIPAddress") or "")


def _facts(client: Any, kind: str, known: str) -> Any:
    return client.resources.get_by_id(known.removeprefix("/"), api_version=KINDS[kind][1]).properties


def _first(of: Sequence[Any]) -> Any:
    """Give the primary one: each is told so in its properties, and of one alone it need not be."""
    return next((each for each in of if each.get("properties", {}).get("primary")), of[0])
