"""An Exoscale instance. Those of instance pools are left alone.

Options are spelled as docker-machine's exoscale driver spells them. https://openapi-v2.exoscale.com/
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
import pulumiverse_exoscale as exoscale

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Finding, Identity, Orphan, Vm, bounded, option
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError
from infra.machine import MachineSpec

KEY, SECRET, ENDPOINT = "EXOSCALE_API_KEY", "EXOSCALE_API_SECRET", "EXOSCALE_API_ENDPOINT"
DELETE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class ExoscaleArgs:
    """Say how large the instance is, where it is and what it starts from."""

    zone: str = option(
        "ch-dk-2",
        help="Zone",
        env="EXOSCALE_AVAILABILITY_ZONE",
        aliases=("--exoscale-availability-zone",),
    )
    instance_profile: str = option(
        "standard.small",
        help="Instance type: FAMILY.SIZE, or SIZE of the standard ones",
        env="EXOSCALE_INSTANCE_PROFILE",
    )
    disk_size: int = option(50, help="Disk in GiB; it can grow later", env="EXOSCALE_DISK_SIZE")
    image: str = option("Linux Debian 12 (Bookworm) 64-bit", help="Template, by its name or id", env="EXOSCALE_IMAGE")
    security_group: tuple[str, ...] = option(
        (), help="Further security group, by its name (repeatable)", env="EXOSCALE_SECURITY_GROUP"
    )
    affinity_group: tuple[str, ...] = option(
        (), help="Anti-affinity group, by its name (repeatable)", env="EXOSCALE_AFFINITY_GROUP"
    )
    ipv6: bool = option(default=False, help="Give it an IPv6 address too", env="EXOSCALE_IPV6")
    ssh_user: str = option("root", help="User to log in as; made where it is another", env="EXOSCALE_SSH_USER")
    open_port: tuple[str, ...] = option((), help="Port to open to everyone: PORT or PORT/udp (repeatable)")

    @property
    def place(self) -> str:
        """Spell the zone as the API does: docker-machine had `CH-DK-2`."""
        return self.zone.lower()

    @property
    def type(self) -> str:
        """Spell the type as the API does: docker-machine had `Small`."""
        known = self.instance_profile.lower()
        return known if "." in known else f"standard.{known}"


def vm(spec: MachineSpec, args: ExoscaleArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the instance, its key and its security group."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    key = exoscale.SshKey(
        f"{spec.name}-key",
        name=_plain_name(identity.tags),
        public_key=identity.user_public_key,
        opts=bounded(opts),
    )
    group = _group(spec, args, identity, opts)
    as_us = pulumi.InvokeOutputOptions(parent=opts.parent)
    further = [exoscale.get_security_group_output(name=name, opts=as_us).id for name in args.security_group]
    apart = [exoscale.get_anti_affinity_group_output(name=name, opts=as_us).id for name in args.affinity_group]
    instance = exoscale.ComputeInstance(
        f"{spec.name}-instance",
        name=spec.name,
        zone=args.place,
        type=args.type,
        disk_size=args.disk_size,
        template_id=_template(args, as_us),
        ssh_keys=[key.name],
        security_group_ids=[group.id, *further],
        anti_affinity_group_ids=apart or None,
        ipv6=args.ipv6,
        user_data=identity.user_data(spec, args.ssh_user),
        labels=dict(identity.tags),
        state="running" if spec.running else "stopped",
        # A newer template of the same name is no reason for a new instance.
        opts=bounded(opts, ignore_changes=[] if _is_id(args.image) else ["templateId"]),
    )
    return Vm(
        resource=instance,
        instance_id=instance.id,
        address=instance.public_ip_address,
        private_address="",
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _template(args: ExoscaleArgs, as_us: pulumi.InvokeOutputOptions) -> pulumi.Input[str]:
    if _is_id(args.image):
        return args.image
    return exoscale.get_template_output(zone=args.place, name=args.image, opts=as_us).id


def _is_id(image: str) -> bool:
    return bool(re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", image))


def _group(
    spec: MachineSpec, args: ExoscaleArgs, identity: Identity, opts: pulumi.ResourceOptions
) -> exoscale.SecurityGroup:
    group = exoscale.SecurityGroup(
        f"{spec.name}-group",
        name=_plain_name(identity.tags),
        description="Made by mctl",
        opts=bounded(opts),
    )
    allowed = [(each, source) for each in firewall.rules(spec, args.open_port) for source in each.sources]
    for rule, source in dict.fromkeys(allowed):
        exoscale.SecurityGroupRule(
            f"{spec.name}-allow-{rule.protocol}-{rule.port}-{re.sub('[^0-9a-f]', '-', source)}",
            security_group_id=group.id,
            type="INGRESS",
            protocol=rule.protocol.upper(),
            start_port=rule.port or None,
            end_port=rule.port or None,
            cidr=source,
            opts=bounded(opts),
        )
    return group


def _plain_name(tags: Mapping[str, str]) -> str:
    """Name what can bear no labels, a key or a security group, by them."""
    return ".".join(("mctl", tags.get(ownership.OWNER, "nobody"), tags[ownership.STACK], tags[ownership.MACHINE]))


def _client(url: str) -> Any:
    from exoscale.api.v2 import Client  # makes itself from all of the API's description, and an `up` needs none of it

    return Client(os.environ.get(KEY, ""), os.environ.get(SECRET, ""), url=url)


def _url(zone: str) -> str:
    return os.environ.get(ENDPOINT) or f"https://api-{zone}.exoscale.com/v2"


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the API. Raises HostError with what it says."""
    from exoscale.api.exceptions import ExoscaleAPIException
    from requests import RequestException

    try:
        return call()
    except (ExoscaleAPIException, RequestException) as error:
        raise HostError(f"Exoscale: {error}", mend="mctl doctor --provider exoscale says what is missing") from None


def account(args: ExoscaleArgs) -> Iterator[Finding]:
    """Say whose key it is, whether zone and type are known, and how many instances are left."""
    mend = f"export {KEY}=… and {SECRET}=…, of portal.exoscale.com under IAM"
    if not (os.environ.get(KEY) and os.environ.get(SECRET)):
        yield Finding("Credentials", ok=False, value="no API key", mend=mend)
        return
    client = _client(_url(args.place))
    try:
        zones = {zone["name"] for zone in _asked(client.list_zones)["zones"]}
        types = {f"{each['family']}.{each['size']}" for each in _asked(client.list_instance_types)["instance-types"]}
        whose = _asked(client.get_organization)["name"]
        quotas = {quota["resource"]: quota for quota in _asked(client.list_quotas)["quotas"]}
    except HostError as error:
        yield Finding(
            "Credentials", ok=False, value=error.message, mend=f"{mend}; mctl policy exoscale says what it needs"
        )
        return
    yield Finding("Account", ok=True, value=whose)
    for what, wanted, known, flag in (
        ("Zone", args.place, zones, "zone"),
        ("Type", args.type, types, "instance-profile"),
    ):
        has = wanted in known
        mend = f"choose one of {', '.join(sorted(known))} with --exoscale-{flag}"
        yield Finding(what, ok=has, value=wanted if has else f"there is no {wanted}", mend=mend)
    if "instance" in quotas:
        yield _quota(quotas["instance"])


def _quota(quota: Mapping[str, int]) -> Finding:
    if quota["limit"] < 0:
        return Finding("Quota", ok=True, value="instances without limit")
    left = quota["limit"] - quota["usage"]
    return Finding("Quota", ok=left > 0, value=f"{left} of {quota['limit']} instances left", mend="ask for more")


def orphans(args: ExoscaleArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List every zone's instances by their labels; security groups and keys, which bear none, by their names."""
    client = _client(_url(args.place))
    owner = tags[ownership.OWNER]
    for zone in _asked(client.list_zones)["zones"]:
        there = _client(zone["api-endpoint"])
        for each in _asked(there.list_instances)["instances"]:
            own = each.get("labels") or {}
            if own.get(ownership.OWNER) == owner and "manager" not in each:
                yield _orphan("instance", each["id"], each, own, partial(there.delete_instance, id=each["id"]), there)
    groups = _asked(client.list_security_groups)["security-groups"]
    for each in groups:
        if own := _named(each["name"], owner):
            delete = partial(client.delete_security_group, id=each["id"])
            yield _orphan("security group", each["id"], each, own, delete, client)
    for each in _asked(client.list_ssh_keys)["ssh-keys"]:
        if own := _named(each["name"], owner):
            yield _orphan("SSH key", each["name"], each, own, partial(client.delete_ssh_key, name=each["name"]), client)


def _named(name: str, owner: str) -> dict[str, str]:
    mark, _, rest = name.partition(f"{owner}.")
    stack, _, machine = rest.partition(".")
    return {ownership.STACK: stack, ownership.MACHINE: machine} if mark == "mctl." and machine else {}


def _orphan(
    kind: str, known: str, found: Mapping[str, Any], tags: Mapping[str, str], delete: Callable[[], Any], client: Any
) -> Orphan:
    def gone() -> None:
        _asked(lambda: client.wait(delete()["id"], max_wait_time=DELETE_SECONDS))

    return Orphan(
        kind=kind,
        id=known,
        name=found["name"],
        stack=tags[ownership.STACK],
        machine=tags[ownership.MACHINE],
        delete=gone,
    )


ABOUT = About(
    title="Exoscale",
    credentials="An API key in `EXOSCALE_API_KEY` and `EXOSCALE_API_SECRET`.",
    example="mctl create web-1 --provider exoscale --exoscale-zone de-fra-1",
    makes="An instance, an SSH key and a security group that lets in SSH and Docker from the allowed networks only.",
    costs="The instance, by the second while it runs, and its disk until it is removed. Key and group are free.",
)
OPERATIONS = (
    *("list-zones", "list-instance-types", "get-instance-type", "list-templates", "get-template", "get-organization"),
    *("list-quotas", "get-operation", "list-instances", "get-instance", "create-instance", "update-instance"),
    *("delete-instance", "start-instance", "stop-instance", "scale-instance", "resize-instance-disk"),
    *("list-anti-affinity-groups", "get-anti-affinity-group", "list-security-groups", "get-security-group"),
    *("create-security-group", "delete-security-group", "add-rule-to-security-group"),
    *("delete-rule-from-security-group", "attach-instance-to-security-group", "detach-instance-from-security-group"),
    *("list-ssh-keys", "get-ssh-key", "register-ssh-key", "delete-ssh-key"),
)
RULE = {"action": "allow", "expression": f"operation in {list(OPERATIONS)}"}
POLICY = json.dumps(
    {"default-service-strategy": "deny", "services": {"compute": {"type": "rules", "rules": [RULE]}}}, indent=2
)
DRIVER = Driver(
    name="exoscale",
    args=ExoscaleArgs,
    vm=vm,
    closes=True,
    no_capacity=("insufficient capacity", "insufficient resources"),
    account=account,
    policy=POLICY,
    orphans=orphans,
    about=ABOUT,
)
