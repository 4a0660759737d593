"""A virtual server of IBM Cloud Classic, which was SoftLayer, by our own plugin.

Options are spelled as docker-machine's softlayer driver spells them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Finding, Identity, Orphan, Vm, bounded, option
from infra.components.drivers.plugin_resource import PluginResource
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError, NotFoundError
from infra.machine import MachineSpec
from infra.plugins.server import PluginError
from infra.plugins.softlayer import api
from infra.plugins.softlayer.guest import Guest

ANY_NETWORK = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}
# https://cloud.ibm.com/docs/account?topic=account-mngclassicinfra
PERMISSIONS = (
    *("SERVER_ADD", "SERVER_CANCEL", "SERVER_UPGRADE", "PUBLIC_NETWORK_COMPUTE", "VIRTUAL_GUEST_VIEW"),
    *("REMOTE_MANAGEMENT", "PORT_CONTROL", "HOSTNAME_EDIT", "CUSTOMER_SSH_KEY_MANAGEMENT", "MANAGE_SECURITY_GROUPS"),
)


@dataclass(frozen=True, kw_only=True)
class SoftLayerArgs:
    """Say how large the server is, where it is and what it starts from."""

    zone: str = option("dal10", help="Data centre", env="SOFTLAYER_REGION", aliases=("--softlayer-region",))
    cpu: int = option(1, help="Virtual processors", env="SOFTLAYER_CPU")
    memory: int = option(2048, help="Memory in MB", env="SOFTLAYER_MEMORY")
    disk_size: int = option(25, help="Disk in GB: 25 or 100", env="SOFTLAYER_DISK_SIZE")
    image: str = option("DEBIAN_12_64", help="Operating system's reference code", env="SOFTLAYER_IMAGE")
    domain: str = option("mctl.internal", help="Domain of the server's full name", env="SOFTLAYER_DOMAIN")
    ssh_user: str = option("root", help="User to log in as; made where it is another", env="SOFTLAYER_SSH_USER")
    hourly_billing: bool = option(default=True, help="Pay by the hour, not the month", env="SOFTLAYER_HOURLY_BILLING")
    local_disk: bool = option(default=False, help="Use the host's disk, not the network's", env="SOFTLAYER_LOCAL_DISK")
    private_net_only: bool = option(default=False, help="Give it no public address", env="SOFTLAYER_PRIVATE_NET")
    public_vlan_id: int = option(0, help="Number of the public VLAN; default: any", env="SOFTLAYER_PUBLIC_VLAN_ID")
    private_vlan_id: int = option(0, help="Number of the private VLAN; default: any", env="SOFTLAYER_PRIVATE_VLAN_ID")
    network_max_speed: int = option(100, help="Mbit/s of its network", env="SOFTLAYER_NETWORK_MAX_SPEED")
    api_endpoint: str = option(api.ENDPOINT, help="Address of the API", env="SOFTLAYER_API_ENDPOINT")
    open_port: tuple[str, ...] = option((), help="Port to open to everyone: PORT or PORT/udp (repeatable)")


class _SshKey(PluginResource):
    kind = "softlayer:index:SshKey"


class _SecurityGroup(PluginResource):
    kind = "softlayer:index:SecurityGroup"


class _Guest(PluginResource):
    kind = "softlayer:index:VirtualGuest"
    computed = ("address", "private_address")
    address: pulumi.Output[str]
    private_address: pulumi.Output[str]


def vm(spec: MachineSpec, args: SoftLayerArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the server, its key and its security group."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    tags, name = _tags(identity.tags), f"mctl-{spec.name}"
    where = {"endpoint": args.api_endpoint}
    key = _SshKey(
        f"{spec.name}-key",
        {"label": name, "public_key": identity.user_public_key, "notes": " ".join(tags), **where},
        bounded(opts),
    )
    group = _SecurityGroup(
        f"{spec.name}-group",
        {"name": name, "description": " ".join(tags), "rules": list(_rules(spec, args)), **where},
        bounded(opts),
    )
    made = {
        "ssh_keys": [key.id],
        "security_groups": [group.id],
        "user_data": identity.user_data(spec, args.ssh_user),
        "tags": tags,
    }
    guest = _Guest(f"{spec.name}-guest", _declared(spec, args) | made | where, bounded(opts))
    return Vm(
        resource=guest,
        instance_id=guest.id,
        address=guest.address,
        private_address=guest.private_address,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _declared(spec: MachineSpec, args: SoftLayerArgs) -> dict[str, Any]:
    """Give the plugin's inputs that the declaration alone decides."""
    return {
        "hostname": spec.name,
        "domain": args.domain,
        "datacenter": args.zone,
        "image": args.image,
        "cpus": args.cpu,
        "memory": args.memory,
        "disk": args.disk_size,
        "hourly": args.hourly_billing,
        "local_disk": args.local_disk,
        "private_only": args.private_net_only,
        "public_vlan": args.public_vlan_id,
        "private_vlan": args.private_vlan_id,
        "network_speed": args.network_max_speed,
        "running": spec.running,
    }


def _rules(spec: MachineSpec, args: SoftLayerArgs) -> Iterator[dict[str, Any]]:
    """Let in what the firewall is to let in, and out everything: a group lets out nothing by itself."""
    for ethertype in ANY_NETWORK:
        yield {"direction": "egress", "ethertype": ethertype}
    for rule in firewall.rules(spec, args.open_port):
        for source in rule.sources:
            ethertype = "IPv6" if ":" in source else "IPv4"
            limits = {} if source == ANY_NETWORK[ethertype] else {"remoteIp": source}
            ports = {"protocol": rule.protocol, "portRangeMin": rule.port, "portRangeMax": rule.port}
            yield {"direction": "ingress", "ethertype": ethertype, **ports, **limits}


def _tags(tags: Mapping[str, str]) -> list[str]:
    """Spell tags as SoftLayer has them: one text of letters, digits, spaces and `_-.:`."""
    return [f"{key}:{re.sub('[^A-Za-z0-9_.-]', '_', value)}" for key, value in tags.items()]


def _asked(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
    try:
        return api.asked(call, *args, **kwargs)
    except api.RefusedError as error:
        if error.code in api.GONE:
            raise NotFoundError(str(error)) from None
        raise HostError(str(error), mend="mctl doctor --provider softlayer says what is missing") from None


def account(args: SoftLayerArgs) -> Iterator[Finding]:
    """Say who one is, which permissions are missing, and whether the data centre is there; the API tells no quota."""
    if not api.has_credentials():
        mend = "export SL_USERNAME=USER SL_API_KEY=KEY, or write them to ~/.softlayer: slcli setup"
        yield Finding("Credentials", ok=False, value="no user and API key", mend=mend)
        return
    client = api.client(args.api_endpoint)
    try:
        user = _asked(client["Account"].getCurrentUser, mask="id,username,email")
        held = {each["keyName"] for each in _asked(client["User_Customer"].getPermissions, id=user["id"])}
        places = {place["name"] for place in _asked(client["Location_Datacenter"].getDatacenters, mask="name")}
    except HostError as error:
        mend = "export SL_USERNAME and SL_API_KEY of a user of IBM Cloud Classic"
        yield Finding("Credentials", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Account", ok=True, value=f"{user['username']}, {user['email']}")
    missing = [permission for permission in PERMISSIONS if permission not in held]
    said = f"missing: {', '.join(missing)}" if missing else "all that are needed"
    yield Finding("Permissions", ok=not missing, value=said, mend="have them granted: mctl policy softlayer")
    yield Finding.named("Data centre", args.zone, "--softlayer-zone", there=args.zone in places)


def orphans(args: SoftLayerArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List guests by their tag, groups and keys, which bear none, by what stands in their description."""
    client = api.client(args.api_endpoint)
    (owner,) = _tags(tags)
    named = {"virtualGuests": {"tagReferences": {"tag": {"name": {"operation": owner}}}}}
    mask = "id,hostname,tagReferences[tag[name]]"
    for each in _asked(client["Account"].getVirtualGuests, filter=named, mask=mask, iter=True):
        own = [reference["tag"]["name"] for reference in each["tagReferences"]]
        yield from _orphan("virtual server", each, each["hostname"], (owner, own), partial(_cancel, client, each["id"]))
    groups, keys = client["Network_SecurityGroup"], client["Security_Ssh_Key"]
    listed = (
        ("security group", groups.getAllObjects, groups.deleteObject, "name", "description"),
        ("SSH key", client["Account"].getSshKeys, keys.deleteObject, "label", "notes"),
    )
    for kind, every, delete, name, text in listed:
        for each in _asked(every, iter=True):
            own = (each.get(text) or "").split()
            yield from _orphan(kind, each, each.get(name, ""), (owner, own), partial(_asked, delete, id=each["id"]))


def _orphan(
    kind: str, found: Mapping[str, Any], name: str, tags: tuple[str, list[str]], delete: Callable[[], Any]
) -> Iterator[Orphan]:
    owner, own = tags
    known = dict(tag.split(":", 1) for tag in own if ":" in tag)
    if owner in own and {ownership.STACK, ownership.MACHINE} <= known.keys():
        stack, machine = known[ownership.STACK], known[ownership.MACHINE]
        yield Orphan(kind=kind, id=str(found["id"]), name=name, stack=stack, machine=machine, delete=delete)


def _cancel(client: Any, guest: int) -> None:
    try:
        asyncio.run(Guest(client, guest).cancel())
    except PluginError as error:
        raise HostError(str(error), mend="mctl orphans --provider softlayer, once more") from None


def find(args: SoftLayerArgs, instance_id: str) -> str:
    """Give the public address of a guest, the private one where it has no other."""
    guests = api.client(args.api_endpoint)["Virtual_Guest"]
    mask = "primaryIpAddress,primaryBackendIpAddress"
    there = _asked(guests.getObject, id=instance_id, mask=mask)
    return str(there.get("primaryIpAddress") or there.get("primaryBackendIpAddress") or "")


ABOUT = About(
    title="IBM Cloud Classic (SoftLayer)",
    credentials=(
        "A user and a classic infrastructure API key in `SL_USERNAME` and `SL_API_KEY` (or docker-machine's "
        "`SOFTLAYER_USER` and `SOFTLAYER_API_KEY`), else in `~/.softlayer`, as `slcli setup` writes it."
    ),
    example="mctl create web-1 --provider softlayer --softlayer-zone fra02",
    makes=(
        "A virtual server, an SSH key and a security group, on the public and on the private network, that lets in SSH "
        "and Docker from the allowed networks only. Classic disks are not encrypted by an option of the order."
    ),
    costs="The server, by the hour until it is cancelled, also while it is off. Key and security group are free.",
    untold="No quota is told: IBM's API has none to ask for.",
)
POLICY = "A user of the classic infrastructure with these permissions:\n" + "\n".join(PERMISSIONS)
DRIVER = Driver(
    name="softlayer",
    args=SoftLayerArgs,
    vm=vm,
    private_address=True,
    closes=True,
    passes_esp=False,
    no_capacity=("insufficient capacity",),
    account=account,
    policy=POLICY,
    orphans=orphans,
    find=find,
    about=ABOUT,
)
