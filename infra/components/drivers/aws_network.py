"""Where an Amazon EC2 instance is, and who may reach it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pulumi
from pulumi_aws import ec2

from infra.components import firewall
from infra.components.drivers import bounded
from infra.machine import MachineSpec

if TYPE_CHECKING:
    from infra.components.drivers.aws import AwsArgs


class Network(NamedTuple):
    """None: the region's own."""

    vpc: pulumi.Input[str] | None
    subnet: pulumi.Input[str] | None


def network(args: AwsArgs, opts: pulumi.InvokeOutputOptions) -> Network:
    """Find the VPC and the subnet that the options mean."""
    if args.subnet_id:
        vpc = args.vpc_id or ec2.get_subnet_output(id=args.subnet_id, opts=opts).vpc_id
        return Network(vpc, args.subnet_id)
    if not args.vpc_id:
        return Network(None, None)
    named = {"vpc-id": args.vpc_id} | ({"availability-zone": zone(args)} if args.zone else {})
    filters = [ec2.GetSubnetsFilterArgs(name=name, values=[value]) for name, value in named.items()]
    return Network(args.vpc_id, ec2.get_subnets_output(filters=filters, opts=opts).ids.apply(min))


def zone(args: AwsArgs) -> str:
    """Spell the availability zone out."""
    return f"{args.region}{args.zone}" if len(args.zone) == 1 else args.zone


def security_group(
    spec: MachineSpec,
    args: AwsArgs,
    vpc: pulumi.Input[str] | None,
    tags: Mapping[str, str],
    opts: pulumi.ResourceOptions,
) -> ec2.SecurityGroup:
    """Declare the machine's own firewall."""
    everyone4, everyone6 = _families(firewall.EVERYONE)
    everywhere = ec2.SecurityGroupEgressArgs(
        protocol="-1", from_port=0, to_port=0, cidr_blocks=everyone4, ipv6_cidr_blocks=everyone6
    )
    return ec2.SecurityGroup(
        f"{spec.name}-firewall",
        description="SSH and Docker of one machine",
        vpc_id=vpc,
        ingress=[_ingress(rule) for rule in firewall.rules(spec, args.open_port)],
        egress=[everywhere],
        tags=tags,
        opts=bounded(opts),
    )


def _ingress(rule: firewall.Rule) -> ec2.SecurityGroupIngressArgs:
    v4, v6 = _families(rule.sources)
    return ec2.SecurityGroupIngressArgs(
        protocol=rule.protocol, from_port=rule.port, to_port=rule.port, cidr_blocks=v4, ipv6_cidr_blocks=v6
    )


def _families(cidrs: Sequence[str]) -> tuple[list[str], list[str]]:
    return [cidr for cidr in cidrs if ":" not in cidr], [cidr for cidr in cidrs if ":" in cidr]
