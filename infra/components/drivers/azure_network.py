"""The network of an Azure VM: its interface, subnet, address and firewall."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import TYPE_CHECKING, NamedTuple

import pulumi
import pulumi_azure_native as azure

from infra.components import firewall
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from infra.components.drivers.azure import AzureArgs

FIRST_PRIORITY, LAST_PRIORITY = 100, 4096


class Site(NamedTuple):
    """What all of one machine's resources share. opts: bounded, and gone with the group if that is the machine's."""

    spec: MachineSpec
    args: AzureArgs
    group: pulumi.Input[str]
    tags: dict[str, str]
    opts: pulumi.ResourceOptions


def address(site: Site) -> azure.network.PublicIPAddress:
    """Declare a static public address."""
    label = azure.network.PublicIPAddressDnsSettingsArgs(domain_name_label=site.args.dns) if site.args.dns else None
    return azure.network.PublicIPAddress(
        f"{site.spec.name}-address",
        resource_group_name=site.group,
        location=site.args.location,
        sku=azure.network.PublicIPAddressSkuArgs(name="Standard"),
        public_ip_allocation_method="Static",
        dns_settings=label,
        tags=site.tags,
        opts=site.opts,
    )


def card(site: Site, address: azure.network.PublicIPAddress | None) -> azure.network.NetworkInterface:
    """Declare the VM's network interface, in its subnet and behind its firewall."""
    own = site.args.private_ip_address
    configuration = azure.network.NetworkInterfaceIPConfigurationArgs(
        name="docker-machine",
        subnet=azure.network.SubnetArgs(id=_subnet(site)),
        private_ip_address=own or None,
        private_ip_allocation_method="Static" if own else "Dynamic",
        public_ip_address=azure.network.PublicIPAddressArgs(id=address.id) if address else None,
    )
    return azure.network.NetworkInterface(
        f"{site.spec.name}-card",
        resource_group_name=site.group,
        location=site.args.location,
        ip_configurations=[configuration],
        network_security_group=azure.network.NetworkSecurityGroupArgs(id=_firewall(site).id),
        tags=site.tags,
        opts=site.opts,
    )


def _subnet(site: Site) -> pulumi.Input[str]:
    """Declare the network, or look up the one that is named; give its subnet's id."""
    args = site.args
    if args.vnet:
        group, _, name = args.vnet.rpartition(":")
        found = azure.network.get_subnet_output(
            resource_group_name=group or site.group, virtual_network_name=name, subnet_name=args.subnet
        )
        looked_up: pulumi.Output[str] = found.apply(lambda subnet: str(subnet.id))
        return looked_up
    network = azure.network.VirtualNetwork(
        f"{site.spec.name}-network",
        resource_group_name=site.group,
        location=args.location,
        address_space=azure.network.AddressSpaceArgs(address_prefixes=[args.subnet_prefix]),
        tags=site.tags,
        opts=site.opts,
    )
    subnet = azure.network.Subnet(
        f"{site.spec.name}-subnet",
        resource_group_name=site.group,
        virtual_network_name=network.name,
        subnet_name=args.subnet,
        address_prefix=args.subnet_prefix,
        opts=site.opts,
    )
    made: pulumi.Output[str] = subnet.id
    return made


def _firewall(site: Site) -> azure.network.NetworkSecurityGroup:
    return azure.network.NetworkSecurityGroup(
        f"{site.spec.name}-firewall",
        resource_group_name=site.group,
        location=site.args.location,
        security_rules=list(rules(site.spec, site.args)),
        tags=site.tags,
        opts=site.opts,
    )


def rules(spec: MachineSpec, args: AzureArgs) -> Iterator[azure.network.SecurityRuleArgs]:
    """Give Azure's rules: one has sources of one family only, and without the last the network's others come in."""
    asked = [
        (rule.protocol.capitalize(), str(rule.port), sources)
        for rule in firewall.rules(spec, args.open_port)
        for sources in ([each for each in rule.sources if ip_network(each).version == version] for version in (4, 6))
        if sources
    ]
    for number, (protocol, port, sources) in enumerate(asked):
        yield _rule(f"allow-{number}-{protocol}-{port}", FIRST_PRIORITY + number, "Allow", protocol, port, sources)
    yield _rule("deny-network", LAST_PRIORITY, "Deny", "*", "*", ["VirtualNetwork"])


def _rule(
    name: str, priority: int, access: str, protocol: str, port: str, sources: list[str]
) -> azure.network.SecurityRuleArgs:
    one = sources[0] if len(sources) == 1 else None
    return azure.network.SecurityRuleArgs(
        name=name,
        priority=priority,
        direction="Inbound",
        access=access,
        protocol=protocol,
        source_address_prefix=one,
        source_address_prefixes=None if one else sources,
        source_port_range="*",
        destination_address_prefix="*",
        destination_port_range=port,
    )
