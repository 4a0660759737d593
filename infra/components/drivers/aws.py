"""An Amazon EC2 instance.

Options are spelled as docker-machine's amazonec2 driver spells them. A fresh address is looked up once the power is as
declared: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Stop_Start.html.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pulumi
import pulumi_aws
from pulumi_aws import ec2
from pulumi_aws.ec2transitgateway import InstanceState

from infra.components import firewall
from infra.components.drivers import About, Driver, Identity, Vm, aws_account, aws_network, aws_policy, bounded, option
from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import HARD_STOP, MachineSpec


@dataclass(frozen=True, kw_only=True)
class AwsArgs:
    """Say how large the instance is, where it is and what it starts from."""

    region: str = option("us-east-1", help="Region", env="AWS_DEFAULT_REGION", aliases=("--amazonec2-region",))
    zone: str = option(
        "", help="Availability zone: its letter or whole name", env="AWS_ZONE", aliases=("--amazonec2-zone",)
    )
    instance_type: str = option(
        "t3.small", help="Instance type", env="AWS_INSTANCE_TYPE", aliases=("--amazonec2-instance-type",)
    )
    ami: str = option(
        "", help="Image by its id; default: the newest Debian 12", env="AWS_AMI", aliases=("--amazonec2-ami",)
    )
    vpc_id: str = option("", help="VPC; default: the region's own", env="AWS_VPC_ID", aliases=("--amazonec2-vpc-id",))
    subnet_id: str = option("", help="Subnet", env="AWS_SUBNET_ID", aliases=("--amazonec2-subnet-id",))
    security_group: tuple[str, ...] = option(
        (),
        help="Further security group that is there, by its id (repeatable)",
    )
    open_port: tuple[str, ...] = option(
        (), help="Port to open to everyone: PORT or PORT/udp (repeatable)", aliases=("--amazonec2-open-port",)
    )
    tags: tuple[str, ...] = option(
        (), help="Further tags: KEY,VALUE or KEY=VALUE (repeatable)", env="AWS_TAGS", aliases=("--amazonec2-tags",)
    )
    root_size: int = option(20, help="Root disk in GiB", env="AWS_ROOT_SIZE", aliases=("--amazonec2-root-size",))
    volume_type: str = option(
        "gp3", help="Root disk's type", env="AWS_VOLUME_TYPE", aliases=("--amazonec2-volume-type",)
    )
    iam_instance_profile: str = option(
        "",
        help="IAM instance profile, by its name",
        env="AWS_INSTANCE_PROFILE",
        aliases=("--amazonec2-iam-instance-profile",),
    )
    ssh_user: str = option(
        "admin", help="User to make and log in as", env="AWS_SSH_USER", aliases=("--amazonec2-ssh-user",)
    )
    request_spot_instance: bool = option(
        default=False, help="Take spare capacity, which is cheaper", aliases=("--amazonec2-request-spot-instance",)
    )
    spot_price: str = option(
        "",
        help="Most to pay for spare capacity, in USD an hour; default: the usual price",
        aliases=("--amazonec2-spot-price",),
    )
    spot_fallback: bool = option(default=False, help="Pay the full price where there is no spare capacity")
    use_private_address: bool = option(
        default=False, help="Reach it by its private address", aliases=("--amazonec2-use-private-address",)
    )
    ipv6: bool = option(default=False, help="Give it an IPv6 address too; its subnet needs some")
    monitoring: bool = option(
        default=False, help="Have CloudWatch look every minute", aliases=("--amazonec2-monitoring",)
    )
    use_ebs_optimized_instance: bool = option(
        default=False,
        help="Keep bandwidth for the disk, where the type does not by itself",
        aliases=("--amazonec2-use-ebs-optimized-instance",),
    )


def vm(spec: MachineSpec, args: AwsArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the instance, its key pair, its security group and its power."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    provider = pulumi_aws.Provider(f"{spec.name}-aws", region=args.region, opts=opts)
    opts = pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider))
    tags = {**_own_tags(spec.name, args.tags), **identity.tags, "Name": spec.name}
    network = aws_network.network(args, pulumi.InvokeOutputOptions(provider=provider))
    key = ec2.KeyPair(f"{spec.name}-key", public_key=identity.user_public_key, tags=tags, opts=bounded(opts))
    group = aws_network.security_group(spec, args, network.vpc, tags, opts)
    instance = _instance(spec, args, identity, _Parts(key, group, network.subnet, tags), opts)
    power = _power(spec, args, instance, opts)
    # The instance's own outputs are older than its power.
    fresh = ec2.get_instance_output(
        instance_id=instance.id, opts=pulumi.InvokeOutputOptions(provider=provider, depends_on=[power])
    )
    return Vm(
        resource=instance,
        instance_id=instance.id,
        address=fresh.private_ip if args.use_private_address else fresh.public_ip,
        private_address=fresh.private_ip,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


class _Parts(NamedTuple):
    key: ec2.KeyPair
    group: ec2.SecurityGroup
    subnet: pulumi.Input[str] | None
    tags: Mapping[str, str]


def _instance(
    spec: MachineSpec, args: AwsArgs, identity: Identity, parts: _Parts, opts: pulumi.ResourceOptions
) -> ec2.Instance:
    return ec2.Instance(
        f"{spec.name}-instance",
        ami=args.ami or _newest_image(args, pulumi.InvokeOutputOptions(provider=opts.provider)),
        instance_type=args.instance_type,
        availability_zone=aws_network.zone(args) if args.zone else None,
        subnet_id=parts.subnet,
        associate_public_ip_address=not spec.private_address_only,
        ipv6_address_count=1 if args.ipv6 else None,
        vpc_security_group_ids=[parts.group.id, *args.security_group],
        key_name=parts.key.key_name,
        user_data=identity.user_data(spec, args.ssh_user),
        user_data_replace_on_change=True,  # cloud-init reads it at the first boot alone
        metadata_options=ec2.InstanceMetadataOptionsArgs(
            http_endpoint="enabled", http_tokens="required", http_put_response_hop_limit=1
        ),
        root_block_device=ec2.InstanceRootBlockDeviceArgs(
            encrypted=True, volume_type=args.volume_type, volume_size=args.root_size, delete_on_termination=True
        ),
        iam_instance_profile=args.iam_instance_profile or None,
        instance_market_options=_spot(args) if args.request_spot_instance else None,
        monitoring=args.monitoring,
        ebs_optimized=args.use_ebs_optimized_instance or None,
        tags=parts.tags,
        volume_tags=parts.tags,
        opts=bounded(opts, ignore_changes=_pinned(spec, args)),
    )


def _pinned(spec: MachineSpec, args: AwsArgs) -> list[str]:
    """List what must not replace the instance: what was looked up, and an address that it lacks while it is off.

    https://github.com/hashicorp/terraform-provider-aws/issues/5265
    """
    looked_up = [name for name, given in (("ami", args.ami), ("subnet_id", args.subnet_id)) if not given]
    return [*looked_up, *(() if spec.private_address_only else ("associate_public_ip_address",))]


def _newest_image(args: AwsArgs, opts: pulumi.InvokeOutputOptions) -> pulumi.Output[str]:
    kind = ec2.get_instance_type_output(instance_type=args.instance_type, opts=opts)
    filters = kind.supported_architectures.apply(
        lambda known: [
            ec2.GetAmiFilterArgs(name=name, values=values) for name, values in aws_account.image_filters(known).items()
        ]
    )
    return ec2.get_ami_output(owners=[aws_account.DEBIAN], most_recent=True, filters=filters, opts=opts).id


def _spot(args: AwsArgs) -> ec2.InstanceInstanceMarketOptionsArgs:
    """Ask for spare capacity that can be stopped: a request that lasts, and that ends with the instance."""
    return ec2.InstanceInstanceMarketOptionsArgs(
        market_type="spot",
        spot_options=ec2.InstanceInstanceMarketOptionsSpotOptionsArgs(
            spot_instance_type="persistent",
            instance_interruption_behavior="stop",
            max_price=args.spot_price or None,
        ),
    )


def _power(spec: MachineSpec, args: AwsArgs, instance: ec2.Instance, opts: pulumi.ResourceOptions) -> InstanceState:
    """Declare the power. A change of type ends with an instance that runs, so it is asked for anew then."""
    hard = bool(os.environ.get(HARD_STOP))
    return InstanceState(
        f"{spec.name}-power",
        instance_id=instance.id,
        state="running" if spec.running else "stopped",
        force=hard,
        opts=bounded(
            opts,
            deleted_with=instance,
            replacement_trigger=[args.instance_type, args.use_ebs_optimized_instance],
            ignore_changes=[] if spec.running or hard else ["force"],  # how it was stopped changes nothing any more
        ),
    )


def _own_tags(machine: str, texts: Sequence[str]) -> dict[str, str]:
    """Read `KEY=VALUE`, and docker-machine's `KEY,VALUE,KEY,VALUE`. Raises UsageError."""
    tags, parts = {}, iter(",".join(texts).split(",") if texts else ())
    for part in parts:
        key, equals, value = part.partition("=")
        found = value if equals else next(parts, None)
        if not key or found is None:
            raise UsageError(
                f"--aws-tags {part!r} has no {'value' if key else 'key'}",
                machine=machine,
                mend="write KEY,VALUE or KEY=VALUE",
            )
        tags[key] = found
    return tags


ABOUT = About(
    title="Amazon EC2",
    credentials="AWS's own chain: `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, `AWS_PROFILE` and `~/.aws`, single "
    "sign-on, or the role of the instance that mctl runs on.",
    example="mctl create web-1 --provider aws --aws-region eu-central-1 --aws-instance-type t4g.small",
    makes="An instance with an encrypted disk, a key pair and a security group that lets in SSH and Docker from the "
    "allowed networks only.",
    costs="The instance and its public address while it runs, by the second; its disk until it is removed. Key pair "
    "and security group are free.",
    untold="Three calls are tried without making anything: for a key pair, a security group and an instance. Quotas "
    "are told of types of the standard families.",
)
DRIVER = Driver(
    name="aws",
    args=AwsArgs,
    vm=vm,
    private_address=True,
    closes=True,
    # https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
    no_capacity=(
        "insufficientinstancecapacity",
        "not supported in your requested availability zone",
        "spotmaxpricetoolow",
        "maxspotinstancecountexceeded",
    ),
    spot=("request_spot_instance", "spot_price"),
    account=aws_account.account,
    policy=aws_policy.POLICY,
    orphans=aws_account.orphans,
    find=aws_account.find,
    about=ABOUT,
)
