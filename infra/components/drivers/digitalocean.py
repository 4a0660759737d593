"""A DigitalOcean Droplet.

Options are spelled as docker-machine's digitalocean driver spells them. Power is an action of DigitalOcean's API, so it
is asked for there.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_digitalocean as digitalocean

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Identity, Prices, Vm, bounded, digitalocean_api, option
from infra.components.engine_scripts.configure import PORT
from infra.machine import MachineSpec


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
    tags = [*digitalocean_api.tags(identity.tags), *args.tags]
    key = digitalocean.SshKey(
        f"{spec.name}-key", name=ownership.name(identity.tags), public_key=identity.user_public_key, opts=bounded(opts)
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
        name=ownership.name(identity.tags),
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


ABOUT = About(
    title="DigitalOcean",
    credentials="A personal access token in `DIGITALOCEAN_TOKEN` (or `DIGITALOCEAN_ACCESS_TOKEN`).",
    example="mctl create web-1 --provider digitalocean --digitalocean-region fra1",
    makes="A Droplet, an SSH key and a Cloud Firewall that lets in SSH and Docker from the allowed networks only.",
    costs="The Droplet, by the second until it is removed, also while it is off. Key and firewall are free.",
)
DRIVER = Driver(
    name="digitalocean",
    args=DigitalOceanArgs,
    vm=vm,
    declares_power=False,
    power=digitalocean_api.power,
    private_address=True,
    closes=True,
    passes_esp=False,
    account=digitalocean_api.account,
    policy=digitalocean_api.POLICY,
    orphans=digitalocean_api.orphans,
    find=digitalocean_api.find,
    prices=Prices(
        declared=lambda args: str(args.size),
        made=lambda droplet: str(droplet.get("size")),
        ask=digitalocean_api.prices,
    ),
    about=ABOUT,
)
