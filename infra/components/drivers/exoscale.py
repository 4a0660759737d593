"""An Exoscale instance. Those of instance pools are left alone.

Options are spelled as docker-machine's exoscale driver spells them. https://openapi-v2.exoscale.com/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pulumi
import pulumiverse_exoscale as exoscale

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Identity, Vm, bounded, exoscale_api, option
from infra.components.engine_scripts.configure import PORT
from infra.machine import MachineSpec


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
        name=ownership.name(identity.tags),
        public_key=identity.user_public_key,
        opts=bounded(opts),
    )
    instance = _instance(spec, args, identity, key, opts)
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


def _instance(
    spec: MachineSpec, args: ExoscaleArgs, identity: Identity, key: exoscale.SshKey, opts: pulumi.ResourceOptions
) -> exoscale.ComputeInstance:
    group = _group(spec, args, identity, opts)
    as_us = pulumi.InvokeOutputOptions(parent=opts.parent)
    further = [exoscale.get_security_group_output(name=name, opts=as_us).id for name in args.security_group]
    apart = [exoscale.get_anti_affinity_group_output(name=name, opts=as_us).id for name in args.affinity_group]
    return exoscale.ComputeInstance(
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
        name=ownership.name(identity.tags),
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


ABOUT = About(
    title="Exoscale",
    credentials="An API key in `EXOSCALE_API_KEY` and `EXOSCALE_API_SECRET`.",
    example="mctl create web-1 --provider exoscale --exoscale-zone de-fra-1",
    makes="An instance, an SSH key and a security group that lets in SSH and Docker from the allowed networks only.",
    costs="The instance, by the second while it runs, and its disk until it is removed. Key and group are free.",
    untold="What a key's role forbids is not told: only a key that manages keys could read it.",
)
DRIVER = Driver(
    name="exoscale",
    args=ExoscaleArgs,
    vm=vm,
    closes=True,
    no_capacity=("insufficient capacity", "insufficient resources"),
    account=exoscale_api.account,
    policy=exoscale_api.POLICY,
    orphans=exoscale_api.orphans,
    find=exoscale_api.find,
    about=ABOUT,
)
