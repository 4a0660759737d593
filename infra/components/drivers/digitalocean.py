"""A DigitalOcean Droplet.

Options are spelled as docker-machine's digitalocean driver spells them. Power is an action of DigitalOcean's API, so it
is asked for there: https://docs.digitalocean.com/reference/api/.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumi_digitalocean as digitalocean
import pydo
from azure.core.exceptions import HttpResponseError, ServiceRequestError

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Finding, Identity, Orphan, Power, Vm, bounded, option
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError, NotFoundError
from infra.machine import MachineSpec

TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")  # in the plugin's own order
ENDPOINT = "DIGITALOCEAN_API_URL"
ACTIONS = {Power.START: "power_on", Power.STOP: "shutdown", Power.KILL: "power_off"}
GUEST_SECONDS, ACTION_SECONDS, POLL_SECONDS = 90, 300, 1.0
PAGE = 200


@dataclass(frozen=True, kw_only=True)
class DigitalOceanArgs:
    """Say how large the Droplet is, where it is and what it starts from."""

    region: str = option("nyc3", help="Region", env="DIGITALOCEAN_REGION")
    size: str = option("s-1vcpu-2gb", help="Size of the Droplet", env="DIGITALOCEAN_SIZE")
    image: str = option("debian-12-x64", help="Image, by its slug or id", env="DIGITALOCEAN_IMAGE")
    ssh_user: str = option("root", help="User to log in as; made where it is another", env="DIGITALOCEAN_SSH_USER")
    ipv6: bool = option(default=False, help="Give it an IPv6 address too", env="DIGITALOCEAN_IPV6")
    vpc: str = option("", help="VPC by its UUID; default: the region's own", env="DIGITALOCEAN_VPC")
    backups: bool = option(default=False, help="Have DigitalOcean make backups", env="DIGITALOCEAN_BACKUPS")
    monitoring: bool = option(
        default=False, help="Have DigitalOcean's agent report metrics", env="DIGITALOCEAN_MONITORING"
    )
    tags: tuple[str, ...] = option((), help="Further tag (repeatable)", env="DIGITALOCEAN_TAGS")
    open_port: tuple[str, ...] = option((), help="Port to open to everyone: PORT or PORT/udp (repeatable)")


def vm(spec: MachineSpec, args: DigitalOceanArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the Droplet, its key and its firewall."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    tags = [*_tags(identity.tags), *args.tags]
    key = digitalocean.SshKey(
        f"{spec.name}-key", name=_plain_name(identity.tags), public_key=identity.user_public_key, opts=bounded(opts)
    )
    droplet = digitalocean.Droplet(
        f"{spec.name}-droplet",
        name=spec.name,
        region=args.region,
        size=args.size,
        image=args.image,
        ssh_keys=[key.fingerprint],
        user_data=identity.user_data(spec, args.ssh_user),
        ipv6=args.ipv6,
        vpc_uuid=args.vpc or None,
        backups=args.backups,
        monitoring=args.monitoring,
        graceful_shutdown=True,
        resize_disk=False,  # so that a Droplet can be made smaller again
        tags=tags,
        opts=bounded(opts),
    )
    _firewall(spec, args, identity, droplet, opts)
    return Vm(
        resource=droplet,
        instance_id=droplet.id,
        address=droplet.ipv4_address,
        private_address=droplet.ipv4_address_private,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _firewall(
    spec: MachineSpec,
    args: DigitalOceanArgs,
    identity: Identity,
    droplet: digitalocean.Droplet,
    opts: pulumi.ResourceOptions,
) -> None:
    digitalocean.Firewall(
        f"{spec.name}-firewall",
        name=_plain_name(identity.tags),
        droplet_ids=[droplet.id.apply(int)],
        inbound_rules=[
            digitalocean.FirewallInboundRuleArgs(
                protocol=rule.protocol, port_range=str(rule.port), source_addresses=list(rule.sources)
            )
            for rule in firewall.rules(spec, args.open_port)
        ],
        outbound_rules=[
            digitalocean.FirewallOutboundRuleArgs(
                protocol=protocol,
                port_range=None if protocol == "icmp" else "1-65535",
                destination_addresses=list(firewall.EVERYONE),
            )
            for protocol in ("tcp", "udp", "icmp")
        ],
        opts=bounded(opts),
    )


def _tags(tags: Mapping[str, str]) -> list[str]:
    """Spell tags as DigitalOcean has them: one text of letters, digits, colons, dashes and underscores."""
    return [f"{key}:{re.sub('[^A-Za-z0-9_-]', '_', value)}" for key, value in tags.items()]


def _plain_name(tags: Mapping[str, str]) -> str:
    """Name what can bear no tags, a key or a firewall, by them."""
    return ".".join(("mctl", tags.get(ownership.OWNER, "nobody"), tags[ownership.STACK], tags[ownership.MACHINE]))


def _client() -> Any:
    token = next((os.environ[name] for name in TOKENS if os.environ.get(name)), "")
    return pydo.Client(token=token, endpoint=os.environ.get(ENDPOINT) or "https://api.digitalocean.com")


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
    try:
        answer = call()
    except (HttpResponseError, ServiceRequestError) as error:
        raise HostError(
            f"DigitalOcean: {error.message}", mend="mctl doctor --provider digitalocean says what is missing"
        ) from None
    if isinstance(answer, dict) and answer.get("id") == "not_found":  # of all failures this one is no exception
        raise NotFoundError(f"DigitalOcean: {answer['message']}", mend="mctl refresh, then mctl up, makes it again")
    return answer


def power(_args: DigitalOceanArgs, instance_id: str, wanted: Power) -> None:
    """Switch the Droplet; one that does not shut down when asked is switched off. Raises HostError."""
    client, droplet = _client(), int(instance_id)
    goal = "active" if wanted is Power.START else "off"
    if _status(client, droplet) == goal:
        return
    _act(client, droplet, ACTIONS[wanted])
    seconds = GUEST_SECONDS if wanted is Power.STOP else ACTION_SECONDS
    if not _awaited(lambda: _status(client, droplet) == goal, seconds):
        if wanted is not Power.STOP:
            raise HostError(f"DigitalOcean did not {wanted.value} Droplet {droplet} within {seconds} s")
        power(_args, instance_id, Power.KILL)


def _act(client: Any, droplet: int, kind: str) -> None:
    action = _asked(lambda: client.droplet_actions.post(droplet, body={"type": kind}))["action"]["id"]

    def ended() -> bool:
        return bool(_asked(lambda: client.actions.get(action))["action"]["status"] != "in-progress")

    _awaited(ended, ACTION_SECONDS)


def _status(client: Any, droplet: int) -> str:
    return str(_asked(lambda: client.droplets.get(droplet))["droplet"]["status"])


def _awaited(so: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not so():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True


def account(args: DigitalOceanArgs) -> Iterator[Finding]:
    """Say whose token it is, whether the size is to be had in the region, and how many Droplets are left."""
    if not any(os.environ.get(name) for name in TOKENS):
        mend = f"export {TOKENS[0]}=TOKEN, one with read and write scope: cloud.digitalocean.com/account/api"
        yield Finding("Credentials", ok=False, value="no token", mend=mend)
        return
    client = _client()
    try:
        whose = _asked(client.account.get)["account"]
        there = {region["slug"]: region for region in _asked(lambda: client.regions.list(per_page=PAGE))["regions"]}
        used = _asked(lambda: client.droplets.list(per_page=1))["meta"]["total"]
    except HostError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=f"export {TOKENS[0]} with a token that counts")
        return
    status = whose["status"]
    yield Finding("Account", ok=status == "active", value=f"{whose['email']}, {status}", mend="cloud.digitalocean.com")
    has_size = args.region in there and args.size in there[args.region]["sizes"]
    yield Finding(
        "Region",
        ok=has_size,
        value=args.region if has_size else f"{args.region} has no size {args.size}",
        mend="choose another with --digitalocean-region or --digitalocean-size",
    )
    left = whose["droplet_limit"] - used
    yield Finding("Quota", ok=left > 0, value=f"{left} of {whose['droplet_limit']} Droplets left", mend="ask for more")


def orphans(_args: DigitalOceanArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List Droplets by their tag; firewalls and keys, which bear none of ours, by the name that we gave them."""
    client = _client()
    (owner,) = _tags(tags)
    for droplet in _asked(lambda: client.droplets.list(tag_name=owner, per_page=PAGE))["droplets"]:
        own = dict(tag.split(":", 1) for tag in droplet["tags"] if ":" in tag)
        yield _orphan("Droplet", droplet, own, partial(client.droplets.destroy, droplet["id"]))
    named = (
        ("firewall", client.firewalls.list, "firewalls", client.firewalls.delete),
        ("SSH key", client.ssh_keys.list, "ssh_keys", client.ssh_keys.delete),
    )
    for kind, listed, key, delete in named:
        for each in _asked(partial(listed, per_page=PAGE))[key]:
            mark, _, rest = each["name"].partition(f"{tags[ownership.OWNER]}.")
            stack, _, machine = rest.partition(".")
            if mark == "mctl." and machine:
                own = {ownership.STACK: stack, ownership.MACHINE: machine}
                yield _orphan(kind, each, own, partial(delete, each["id"]))


def _orphan(kind: str, found: Mapping[str, Any], tags: Mapping[str, str], delete: Callable[[], Any]) -> Orphan:
    return Orphan(
        kind=kind,
        id=str(found["id"]),
        name=found["name"],
        stack=tags[ownership.STACK],
        machine=tags[ownership.MACHINE],
        delete=lambda: _asked(delete),
    )


def find(_args: DigitalOceanArgs, instance_id: str) -> str:
    """Give the public address of a Droplet."""
    client = _client()
    droplet = _asked(lambda: client.droplets.get(int(instance_id)))["droplet"]
    return next((str(v4["ip_address"]) for v4 in droplet["networks"]["v4"] if v4["type"] == "public"), "")


ABOUT = About(
    title="DigitalOcean",
    credentials="A personal access token in `DIGITALOCEAN_TOKEN` (or `DIGITALOCEAN_ACCESS_TOKEN`).",
    example="mctl create web-1 --provider digitalocean --digitalocean-region fra1",
    makes="A Droplet, an SSH key and a Cloud Firewall that lets in SSH and Docker from the allowed networks only.",
    costs="The Droplet, by the second until it is removed, also while it is off. Key and firewall are free.",
)
POLICY = """\
A token with these scopes: account:read, regions:read, sizes:read, image:read, tag:read, tag:create,
droplet:create, droplet:read, droplet:update, droplet:delete, actions:read, vpc:read,
ssh_key:create, ssh_key:read, ssh_key:update, ssh_key:delete,
firewall:create, firewall:read, firewall:update, firewall:delete"""
DRIVER = Driver(
    name="digitalocean",
    args=DigitalOceanArgs,
    vm=vm,
    declares_power=False,
    power=power,
    private_address=True,
    closes=True,
    account=account,
    policy=POLICY,
    orphans=orphans,
    find=find,
    about=ABOUT,
)
