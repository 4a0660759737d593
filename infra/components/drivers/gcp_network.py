"""The network of a VM at Google: its interface and its firewalls."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_gcp as gcp

from infra.components import firewall
from infra.components.drivers import bounded
from infra.machine import MachineSpec, is_address

if TYPE_CHECKING:
    from infra.components.drivers.gcp import GcpArgs


def interface(args: GcpArgs, opts: pulumi.ResourceOptions) -> gcp.compute.InstanceNetworkInterfaceArgs:
    """Declare the network interface; its external address is Google's choice, or the static one."""
    access = gcp.compute.InstanceNetworkInterfaceAccessConfigArgs(nat_ip=_static(args, opts))
    return gcp.compute.InstanceNetworkInterfaceArgs(
        network=args.network,
        subnetwork=args.subnetwork or None,
        access_configs=[] if args.use_internal_ip_only else [access],
    )


def external(cards: Any) -> str:
    """Give the external address: none while the VM is off."""
    return next((access.nat_ip or "" for access in cards[0].access_configs or ()), "")


def firewalls(spec: MachineSpec, args: GcpArgs, tags: Mapping[str, str], opts: pulumi.ResourceOptions) -> None:
    """Declare one firewall for those who may and one for everyone: each has one list of sources."""
    rules = firewall.rules(spec, each(args.open_port))
    for part, sources in (("firewall", spec.allow_cidrs), ("open-ports", firewall.EVERYONE)):
        ports: dict[str, list[str]] = {}
        for rule in rules:
            if rule.sources == sources:
                ports.setdefault(rule.protocol, []).append(str(rule.port))
        networks = ipv4(sources)
        if not ports or not networks:  # without sources Google lets in everyone
            continue
        gcp.compute.Firewall(
            f"{spec.name}-{part}",
            project=args.project or None,
            network=args.network,
            description=json.dumps(dict(tags)),  # it bears no labels
            allows=[gcp.compute.FirewallAllowArgs(protocol=protocol, ports=of) for protocol, of in ports.items()],
            source_ranges=networks,
            target_tags=[mark(tags)],
            opts=bounded(opts),
        )


def ipv4(cidrs: tuple[str, ...]) -> list[str]:
    """Pick the networks that can reach the VM: it has no IPv6 address."""
    return [cidr for cidr in cidrs if ip_network(cidr).version == 4]


def mark(tags: Mapping[str, str]) -> str:
    """Make a network tag that no other machine has: people of one project may give the same names."""
    return f"mctl-{hashlib.sha256(json.dumps(dict(tags)).encode()).hexdigest()[:16]}"


def each(texts: tuple[str, ...]) -> list[str]:
    """Give every item: docker-machine separates them by commas."""
    return [item for text in texts for item in text.split(",") if item]


def _static(args: GcpArgs, opts: pulumi.ResourceOptions) -> pulumi.Input[str] | None:
    """Give the static address, looked up where it is named."""
    if not args.address or is_address(args.address):
        return args.address or None
    region = args.zone.rpartition("-")[0]
    return gcp.compute.get_address_output(
        name=args.address,
        region=region,
        project=args.project or None,
        opts=pulumi.InvokeOutputOptions(parent=opts.parent),
    ).address
