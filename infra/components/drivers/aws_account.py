"""What AWS is asked directly: whose account it is, what may be made there, and what is left there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.components import ownership
from infra.components.drivers import Finding, Orphan
from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from infra.components.drivers.aws import AwsArgs

DEBIAN = "136693071363"  # https://wiki.debian.org/Cloud/AmazonEC2Image/Bookworm
# Codes of https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html.
FORBIDDEN = ("UnauthorizedOperation", "AccessDenied")
STANDARD_FAMILIES = "acdhimrtz"
# https://docs.aws.amazon.com/ec2/latest/instancetypes/ec2-instance-quotas.html, of those families, in vCPUs.
ON_DEMAND_QUOTA, SPOT_QUOTA = "L-1216C47A", "L-34B43A08"
ALIVE = ("pending", "running", "stopping", "stopped", "shutting-down")
SECONDS, TRIES = 20, 4
SAMPLE_KEY = b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPc2ZI6nZ1g8x5TKJjbqEcWZGlUcKbZZ6Nq9Ql4bEOcV"


def image_filters(architectures: Sequence[str]) -> dict[str, list[str]]:
    """Tell Debian 12's images for a type's processor from others. architectures: what the type supports."""
    ours, debians = ("arm64", "arm64") if "arm64" in architectures else ("x86_64", "amd64")
    return {"name": [f"debian-12-{debians}-*"], "architecture": [ours], "virtualization-type": ["hvm"]}


def _client(args: AwsArgs, service: str) -> Any:
    import boto3  # it takes a fifth of a second, and a preview needs none of it
    from botocore.config import Config

    config = Config(connect_timeout=SECONDS, read_timeout=SECONDS, retries={"total_max_attempts": TRIES})
    return boto3.Session(region_name=args.region).client(service, config=config)


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the API. Raises HostError with what it says."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except (BotoCoreError, ClientError) as error:
        raise HostError(f"AWS: {error}", mend="mctl doctor --provider aws says what is missing") from None


def account(args: AwsArgs) -> Iterator[Finding]:
    """Say who one is, and whether type, image, network, permissions and quota are there."""
    try:
        who = _asked(lambda: _client(args, "sts").get_caller_identity())
    except HostError as error:
        mend = "aws configure, or export AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        yield Finding("Credentials", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Account", ok=True, value=who["Arn"])
    client = _client(args, "ec2")
    try:
        yield from _place(client, args)
    except HostError as error:
        yield Finding("Permissions", ok=False, value=error.message, mend="mctl policy aws prints those needed")


def _place(client: Any, args: AwsArgs) -> Iterator[Finding]:
    named = [{"Name": "instance-type", "Values": [args.instance_type]}]
    offered = _asked(lambda: client.describe_instance_type_offerings(Filters=named))["InstanceTypeOfferings"]
    value = args.region if offered else f"{args.region} has no type {args.instance_type}"
    mend = "choose another with --aws-region or --aws-instance-type"
    yield Finding("Region", ok=bool(offered), value=value, mend=mend)
    if not offered:
        return
    kind = _asked(lambda: client.describe_instance_types(InstanceTypes=[args.instance_type]))["InstanceTypes"][0]
    image = args.ami or _newest_image(client, kind["ProcessorInfo"]["SupportedArchitectures"])
    mend = "name one with --aws-ami"
    yield Finding("Image", ok=bool(image), value=image or f"{args.region} has no Debian 12", mend=mend)
    network = _network(client, args)
    yield network
    if image and network.ok:
        yield from _permissions(client, args, image)
    yield from _quota(client, args, kind["VCpuInfo"]["DefaultVCpus"])


def _newest_image(client: Any, architectures: Sequence[str]) -> str:
    filters = [{"Name": name, "Values": values} for name, values in image_filters(architectures).items()]
    images = _asked(lambda: client.describe_images(Owners=[DEBIAN], Filters=filters))["Images"]
    return str(max(images, key=lambda image: image["CreationDate"])["ImageId"]) if images else ""


def _network(client: Any, args: AwsArgs) -> Finding:
    if args.subnet_id:
        _asked(lambda: client.describe_subnets(SubnetIds=[args.subnet_id]))
        return Finding("Network", ok=True, value=args.subnet_id)
    mend = "name another with --aws-vpc-id or --aws-subnet-id"
    if args.vpc_id:
        within = [{"Name": "vpc-id", "Values": [args.vpc_id]}]
        found = _asked(lambda: client.describe_subnets(Filters=within))["Subnets"]
        value = args.vpc_id if found else f"{args.vpc_id} has no subnet"
        return Finding("Network", ok=bool(found), value=value, mend=mend)
    default = [{"Name": "is-default", "Values": ["true"]}]
    found = _asked(lambda: client.describe_vpcs(Filters=default))["Vpcs"]
    value = found[0]["VpcId"] if found else f"{args.region} has no default VPC"
    return Finding("Network", ok=bool(found), value=value, mend=mend)


def _permissions(client: Any, args: AwsArgs, image: str) -> Iterator[Finding]:
    """Try what a create would do, without doing it."""
    tags = [{"ResourceType": "instance", "Tags": [{"Key": ownership.MACHINE, "Value": "mctl-doctor"}]}]
    place = {"SubnetId": args.subnet_id} if args.subnet_id else {}
    tries = {
        "ec2:ImportKeyPair": partial(client.import_key_pair, KeyName="mctl-doctor", PublicKeyMaterial=SAMPLE_KEY),
        "ec2:CreateSecurityGroup": partial(
            client.create_security_group, GroupName="mctl-doctor", Description="mctl doctor"
        ),
        "ec2:RunInstances, ec2:CreateTags": partial(
            client.run_instances,
            ImageId=image,
            InstanceType=args.instance_type,
            MinCount=1,
            MaxCount=1,
            TagSpecifications=tags,
            **place,
        ),
    }
    missing = [action for action, call in tries.items() if _refusal(call) in FORBIDDEN]
    value = f"missing: {', '.join(missing)}" if missing else "to make machines"
    yield Finding("Permissions", ok=not missing, value=value, mend="mctl policy aws prints those needed")


def _refusal(call: Callable[..., Any]) -> str:
    """Give the code that a dry run ends with: `DryRunOperation` where it would work."""
    from botocore.exceptions import ClientError

    def dry_run() -> str:
        try:
            call(DryRun=True)
        except ClientError as error:
            return str(error.response["Error"]["Code"])
        return ""

    return str(_asked(dry_run))


def _quota(client: Any, args: AwsArgs, needed: int) -> Iterator[Finding]:
    """Count vCPUs, which is what AWS limits; of the standard families, as each other has a limit of its own."""
    if args.instance_type[0] not in STANDARD_FAMILIES:
        return
    code = SPOT_QUOTA if args.request_spot_instance else ON_DEMAND_QUOTA
    quotas = _client(args, "service-quotas")
    try:
        most = int(_asked(lambda: quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code))["Quota"]["Value"])
    except HostError as error:
        mend = "mctl policy aws prints the permissions needed"
        yield Finding("Quota", ok=False, value=error.message, mend=mend, needed=False)
        return
    left = most - _vcpus(client, args.request_spot_instance)
    value = f"{left} of {most} vCPUs left"
    mend = f"aws service-quotas request-service-quota-increase --service-code ec2 --quota-code {code} --desired-value N"
    can_do_without = args.request_spot_instance and args.spot_fallback
    yield Finding("Quota", ok=left >= needed, value=value, mend=mend, needed=not can_do_without)


def _vcpus(client: Any, spot: bool) -> int:  # noqa: FBT001 - it is one of two counts
    """Count those of what runs."""
    running = Counter(
        each["InstanceType"]
        for each in _instances(client, {"instance-state-name": ["pending", "running"]})
        if each["InstanceType"][0] in STANDARD_FAMILIES and (each.get("InstanceLifecycle") == "spot") == spot
    )
    if not running:
        return 0
    kinds = _asked(lambda: client.describe_instance_types(InstanceTypes=list(running)))["InstanceTypes"]
    return sum(kind["VCpuInfo"]["DefaultVCpus"] * running[kind["InstanceType"]] for kind in kinds)


def _instances(client: Any, filters: Mapping[str, Sequence[str]]) -> list[Any]:
    named = [{"Name": name, "Values": list(values)} for name, values in filters.items()]

    def every() -> list[Any]:
        pages = client.get_paginator("describe_instances").paginate(Filters=named)
        return [each for page in pages for reservation in page["Reservations"] for each in reservation["Instances"]]

    return list(_asked(every))


def find(args: AwsArgs, instance_id: str) -> str:
    """Give the public address of an instance, else its private one. Raises NotFoundError where the region has none."""
    found = _instances(_client(args, "ec2"), {"instance-id": [instance_id]})
    if not found:
        raise NotFoundError(
            f"AWS has no instance {instance_id} in {args.region}", mend="export AWS_DEFAULT_REGION=its region"
        )
    return str(found[0].get("PublicIpAddress") or found[0].get("PrivateIpAddress") or "")


def orphans(args: AwsArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List instances, then the security groups and key pairs that they used."""
    client = _client(args, "ec2")
    filters = {f"tag:{key}": [value] for key, value in tags.items()}
    for each in _instances(client, {**filters, "instance-state-name": ALIVE}):
        yield _orphan("instance", each["InstanceId"], each, partial(_terminate, client, each))
    named = [{"Name": name, "Values": values} for name, values in filters.items()]
    for each in _asked(lambda: client.describe_security_groups(Filters=named))["SecurityGroups"]:
        delete = partial(client.delete_security_group, GroupId=each["GroupId"])
        yield _orphan("security group", each["GroupId"], each, delete)
    for each in _asked(lambda: client.describe_key_pairs(Filters=named))["KeyPairs"]:
        delete = partial(client.delete_key_pair, KeyName=each["KeyName"])
        yield _orphan("key pair", each["KeyName"], each, delete)


def _terminate(client: Any, instance: Mapping[str, Any]) -> None:
    """Delete an instance and wait: its security group can't be deleted before. A lasting request would make another."""
    if request := instance.get("SpotInstanceRequestId"):
        client.cancel_spot_instance_requests(SpotInstanceRequestIds=[request])
    client.terminate_instances(InstanceIds=[instance["InstanceId"]])
    client.get_waiter("instance_terminated").wait(InstanceIds=[instance["InstanceId"]])


def _orphan(kind: str, found: str, facts: Mapping[str, Any], delete: Callable[[], Any]) -> Orphan:
    own = {tag["Key"]: tag["Value"] for tag in facts.get("Tags", ())}
    return Orphan(
        kind=kind,
        id=found,
        name=own.get("Name", found),
        stack=own.get(ownership.STACK, ""),
        machine=own.get(ownership.MACHINE, ""),
        delete=lambda: _asked(delete),
    )
