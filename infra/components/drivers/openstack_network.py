"""What leads to an OpenStack server: a port with a security group of its own, and a floating IP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pulumi
import pulumi_openstack as openstack

from infra.components import firewall, ownership
from infra.components.drivers import Identity, bounded, openstack_api
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from infra.components.drivers.openstack import OpenStackArgs


def port(
    spec: MachineSpec, args: OpenStackArgs, identity: Identity, opts: pulumi.ResourceOptions
) -> openstack.networking.Port:
    """Declare the port, and the security group that lets in who may."""
    tags = openstack_api.tags(identity.tags)
    group = openstack.networking.SecGroup(
        f"{spec.name}-group",
        name=ownership.name(identity.tags),
        description="Made by mctl",
        tags=tags,
        opts=bounded(opts),
        region=args.region or None,
    )
    for protocol, number, source in dict.fromkeys(_allowed(firewall.rules(spec, args.open_port))):
        openstack.networking.SecGroupRule(
            f"{spec.name}-allow-{protocol}-{number}-{re.sub('[^0-9a-f]', '-', source)}",
            security_group_id=group.id,
            direction="ingress",
            ethertype=f"IPv{ip_network(source).version}",
            protocol=protocol,
            port_range_min=number,
            port_range_max=number,
            remote_ip_prefix=source,
            opts=bounded(opts),
            region=args.region or None,
        )
    further = [
        openstack.networking.get_sec_group_output(name=name, region=args.region or None, opts=lookup(opts)).id
        for name in args.sec_groups
    ]
    return openstack.networking.Port(
        f"{spec.name}-port",
        name=ownership.name(identity.tags),
        network_id=args.net_id or _network(args, opts),
        security_group_ids=[group.id, *further],
        tags=tags,
        opts=bounded(opts),
        region=args.region or None,
    )


def _network(args: OpenStackArgs, opts: pulumi.ResourceOptions) -> pulumi.Output[str]:
    found = openstack.networking.get_network_output(
        name=args.net_name or None,
        external=None if args.net_name else False,
        region=args.region or None,
        opts=lookup(opts),
    )
    return found.id


def floating(
    spec: MachineSpec,
    args: OpenStackArgs,
    identity: Identity,
    port: openstack.networking.Port,
    opts: pulumi.ResourceOptions,
) -> pulumi.Output[str]:
    """Declare the floating IP, and give its address once it leads to the port."""
    floating = openstack.networking.FloatingIp(
        f"{spec.name}-address",
        pool=args.floatingip_pool,
        tags=openstack_api.tags(identity.tags),
        opts=bounded(opts),
        region=args.region or None,
    )
    lead = openstack.networking.FloatingIpAssociate(
        f"{spec.name}-address-association",
        floating_ip=floating.address,
        port_id=port.id,
        opts=bounded(opts),
        region=args.region or None,
    )
    return lead.floating_ip


def own_address(port: openstack.networking.Port, version: int) -> pulumi.Output[str]:
    """Give a port's own address. version: 4 or 6."""

    def of_version(addresses: Sequence[str] | None) -> str:
        return next((each for each in addresses or () if ip_network(each).version == version), "")

    return port.all_fixed_ips.apply(of_version)


def _allowed(rules: Sequence[firewall.Rule]) -> list[tuple[str, int, str]]:
    return [(rule.protocol, rule.port, source) for rule in rules for source in rule.sources]


def lookup(opts: pulumi.ResourceOptions) -> pulumi.InvokeOutputOptions:
    """Look things up as the one who makes them."""
    provider = opts.provider if isinstance(opts.provider, pulumi.ProviderResource) else None
    return pulumi.InvokeOutputOptions(parent=opts.parent, provider=provider)
