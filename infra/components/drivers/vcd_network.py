"""How a VM of Cloud Director is reached: its network, and the NAT rules of an edge gateway that lead to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pulumi
import pulumi_vcd as vcd

from infra.components import firewall, ownership
from infra.components.drivers import Identity, bounded
from infra.components.engine_scripts.configure import PORT
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from infra.components.drivers.vcd import VcdArgs

DHCP_SECONDS = 300
PREFIX = "mctl."


def network(args: VcdArgs) -> dict[str, Any]:
    """Give the VM's one network. An address of the pool gets into the guest by VMware's customization of it."""
    mode = "DHCP" if args.dhcp else "POOL"
    passwords = {"allow_local_admin_password": False, "auto_generate_password": False}
    return {
        "networks": [
            {"type": "org", "name": args.orgvdcnetwork, "ip_allocation_mode": mode, "adapter_type": "VMXNET3"},
        ],
        "network_dhcp_wait_seconds": DHCP_SECONDS if args.dhcp else None,
        "customization": {"enabled": not args.dhcp, **passwords},
    }


def nat(
    spec: MachineSpec, args: VcdArgs, identity: Identity, inside: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> list[vcd.NsxtNatRule]:
    """Lead two ports of the public address to the VM, and the VM out by it: rules of its own beside all others."""
    as_us = pulumi.InvokeOutputOptions(parent=opts.parent)
    edge = vcd.get_nsxt_edgegateway_output(name=args.edgegateway, vdc=args.vdcid or None, opts=as_us)
    shared: dict[str, Any] = {"edge_gateway_id": edge.id, "external_address": args.publicip, "internal_address": inside}
    rules = [
        vcd.NsxtNatRule(
            f"{spec.name}-out-nat",
            name=_plain_name(identity.tags, "out"),
            rule_type="SNAT",
            opts=bounded(opts),
            **shared,
        )
    ]
    for name, outer, inner in (("ssh", args.ssh_port, firewall.SSH_PORT), ("docker", args.docker_port, PORT)):
        profile = vcd.NsxtAppPortProfile(
            f"{spec.name}-{name}-port",
            name=_plain_name(identity.tags, name),
            context_id=edge.owner_id,
            scope="TENANT",
            app_ports=[vcd.NsxtAppPortProfileAppPortArgs(protocol="TCP", ports=[str(inner)])],
            opts=bounded(opts),
        )
        rule = vcd.NsxtNatRule(
            f"{spec.name}-{name}-nat",
            name=_plain_name(identity.tags, name),
            rule_type="DNAT",
            dnat_external_port=str(outer),
            app_port_profile_id=profile.id,
            opts=bounded(opts),
            **shared,
        )
        rules.append(rule)
    return rules


def _plain_name(tags: Mapping[str, str], what: str) -> str:
    """Name what can bear no metadata, a rule or a port, by it: no machine's name has a space."""
    whose = (tags.get(ownership.OWNER, "nobody"), tags[ownership.STACK], tags[ownership.MACHINE])
    return f"{PREFIX}{'.'.join(whose)} {what}"
