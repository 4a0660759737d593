"""A stand-in AWS: moto's EC2, STS and IAM, with hosts behind its instances, and the plugin that talks to them.

Whoever calls may do what the driver's own policy allows, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from pulumi_aws import ec2
from pulumi_aws.ec2transitgateway import InstanceState as PowerSdk

from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import instances
from tests.clouds.cloud import Cloud
from tests.clouds.moto_server import OURS, REGION, moto
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

USER_DATA_BYTES = 16384
LIMIT = 10


def _ec2() -> Any:
    return boto3.client("ec2", config=Config(user_agent_appid=OURS))


def _asked(call: Callable[..., Any], **given: Any) -> Any:
    """Call without what is None, and put a refusal as the real plugin does."""
    try:
        return call(**{key: value for key, value in given.items() if value is not None})
    except ClientError as error:
        said = error.response["Error"]
        raise PluginError(f"{error.operation_name}: api error {said['Code']}: {said['Message']}") from None


def _tags(kind: str, news: Facts, key: str = "tags") -> dict[str, Any]:
    return {"ResourceType": kind, "Tags": [{"Key": each, "Value": value} for each, value in news.get(key, {}).items()]}


def _named(op: Operation, news: Facts, key: str) -> Facts:
    """Name a resource as Pulumi does where its program does not."""
    return {} if key in news else {key: op.old_inputs.get(key) or f"{op.name}-{uuid4().hex[:7]}"}


class KeyPair(StandIn):
    sdk, kind = ec2.KeyPair, "key_pairs"
    replaces = frozenset({"publicKey", "keyName"})
    computed = frozenset({"keyPairId"})

    def default(self, op: Operation, news: Facts) -> Facts:
        return _named(op, news, "keyName")

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = _asked(
            _ec2().import_key_pair,
            KeyName=news["keyName"],
            PublicKeyMaterial=news["publicKey"].encode(),
            TagSpecifications=[_tags("key-pair", news)],
        )
        return made["KeyName"], {"keyPairId": made["KeyPairId"]}

    def unmake(self, world: World, facts: Facts) -> None:
        _asked(_ec2().delete_key_pair, KeyName=facts["keyName"])


class SecurityGroup(StandIn):
    sdk, kind = ec2.SecurityGroup, "security_groups"
    replaces = frozenset({"name", "description", "vpcId"})

    def default(self, op: Operation, news: Facts) -> Facts:
        return _named(op, news, "name")

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        default = _ec2().describe_vpcs(Filters=[{"Name": "is-default", "Values": ["true"]}])["Vpcs"]
        made = _asked(
            _ec2().create_security_group,
            GroupName=news["name"],
            Description=news["description"],
            VpcId=news.get("vpcId") or default[0]["VpcId"],
            TagSpecifications=[_tags("security-group", news)],
        )["GroupId"]
        self._set_rules(made, news)
        return made, {}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        if any(news.get(kind) != facts.get(kind) for kind in ("ingress", "egress")):
            self._set_rules(facts["id"], news)
        return {}

    def _set_rules(self, group: str, news: Facts) -> None:
        client = _ec2()
        (now,) = client.describe_security_groups(GroupIds=[group])["SecurityGroups"]
        rules = (
            (client.revoke_security_group_ingress, now["IpPermissions"]),
            (client.revoke_security_group_egress, now["IpPermissionsEgress"]),
            (client.authorize_security_group_ingress, [_permission(rule) for rule in news.get("ingress", ())]),
            (client.authorize_security_group_egress, [_permission(rule) for rule in news.get("egress", ())]),
        )
        for call, permissions in rules:
            if permissions:
                _asked(call, GroupId=group, IpPermissions=permissions)

    def unmake(self, world: World, facts: Facts) -> None:
        _asked(_ec2().delete_security_group, GroupId=facts["id"])


def _permission(rule: Facts) -> dict[str, Any]:
    return {
        "IpProtocol": rule["protocol"],
        "FromPort": int(rule["fromPort"]),
        "ToPort": int(rule["toPort"]),
        "IpRanges": [{"CidrIp": cidr} for cidr in rule.get("cidrBlocks", ())],
        "Ipv6Ranges": [{"CidrIpv6": cidr} for cidr in rule.get("ipv6CidrBlocks", ())],
    }


class Instance(StandIn):
    sdk, kind = ec2.Instance, "instances"
    required = frozenset({"ami", "instanceType"})
    replaces = frozenset(
        {"ami", "availabilityZone", "keyName", "subnetId", "associatePublicIpAddress", "userData"}
        | {"instanceMarketOptions"}
    )
    computed = frozenset({"publicIp", "privateIp", "instanceState"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if len(news.get("userData", "").encode()) > USER_DATA_BYTES:
            yield "api error InvalidParameterValue: User data is limited to 16384 bytes"
        zone = news.get("availabilityZone", "")
        if any(zone.endswith(full) for full in world.fault("full") or ()):
            yield (
                "RunInstances: api error InsufficientInstanceCapacity: We currently do not have sufficient "
                f"{news['instanceType']} capacity in the Availability Zone you requested ({zone})"
            )
        if "id" not in news and news.get("instanceMarketOptions") and world.fault("full"):
            yield "RunInstances: api error SpotMaxPriceTooLow: Your Spot request price is too low"
        if "id" not in news and len(world.every(self.kind)) >= (world.fault("limit") or LIMIT):
            yield "RunInstances: api error VcpuLimitExceeded: You have requested more vCPU capacity than your limit"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        zone, disk, metadata = news.get("availabilityZone"), news["rootBlockDevice"], news["metadataOptions"]
        device = {
            "Encrypted": disk["encrypted"],
            "VolumeSize": int(disk["volumeSize"]),
            "VolumeType": disk["volumeType"],
        }
        made = _asked(
            _ec2().run_instances,
            MinCount=1,
            MaxCount=1,
            ImageId=news["ami"],
            InstanceType=news["instanceType"],
            KeyName=news["keyName"],
            SecurityGroupIds=news["vpcSecurityGroupIds"],
            SubnetId=news.get("subnetId"),
            Placement={"AvailabilityZone": zone} if zone else None,
            UserData=news.get("userData"),
            BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": device}],
            MetadataOptions={"HttpTokens": metadata["httpTokens"], "HttpEndpoint": metadata["httpEndpoint"]},
            TagSpecifications=[_tags("instance", news), _tags("volume", news, "volumeTags")],
        )["Instances"][0]
        keys = [key["publicKey"] for key in world.every("key_pairs") if key["keyName"] == news["keyName"]]
        address = instances.start(
            world, made["InstanceId"], hostname="ip", user_data=news.get("userData", ""), public_keys=keys
        )
        facts = {"publicIp": address, "privateIp": made["PrivateIpAddress"], "instanceState": "running"}
        return made["InstanceId"], facts

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        """Change the type as the real plugin does: what was off runs afterwards."""
        if facts["instanceType"] == news["instanceType"]:
            return {}
        switch(world, facts["id"], running=False)
        _asked(_ec2().modify_instance_attribute, InstanceId=facts["id"], InstanceType={"Value": news["instanceType"]})
        switch(world, facts["id"], running=True)
        return {"publicIp": (world.get(self.kind, facts["id"]) or {})["publicIp"], "instanceState": "running"}

    def look(self, world: World, facts: Facts) -> Facts:
        runs = instances.runs(world, facts["id"])
        return {"instanceState": "running"} if runs else {"instanceState": "stopped", "publicIp": ""}

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Let moto forget an instance that the test has lost."""
        found = await super().read(op)
        if found is None:
            _asked(_ec2().terminate_instances, InstanceIds=[op.id])
        return found

    def unmake(self, world: World, facts: Facts) -> None:
        _asked(_ec2().terminate_instances, InstanceIds=[facts["id"]])
        instances.remove(world, facts["id"])


def switch(world: World, id: str, *, running: bool, hard: bool = False) -> None:  # noqa: A002 - the field's word
    """Switch an instance and what is behind it on or off, where it is not so."""
    facts = world.get("instances", id)
    if facts is None:
        raise PluginError(f"api error InvalidInstanceID.NotFound: The instance ID '{id}' does not exist")
    if instances.runs(world, id) == running:
        return
    if running:
        _asked(_ec2().start_instances, InstanceIds=[id])
        facts |= {"publicIp": instances.resume(world, id), "instanceState": "running"}
    else:
        _asked(_ec2().stop_instances, InstanceIds=[id], Force=hard)
        instances.stop(world, id, hard=hard)
        facts |= {"publicIp": "", "instanceState": "stopped"}
    world.put("instances", id, facts)


class InstanceState(StandIn):
    """The power of an instance: nothing of its own, so deleting it changes nothing."""

    sdk, kind = PowerSdk, "powers"
    replaces = frozenset({"instanceId"})

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Switch it."""
        if op.preview:
            return "", op.news
        await type(self).update(self, op)
        return plain(op.news)["instanceId"], op.news

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look whether it is on; gone with the instance."""
        world = World.here()
        if world.get("instances", op.id) is None:
            return None
        state = {"state": "running" if instances.runs(world, op.id) else "stopped"}
        return {**op.olds, **state}, {**op.old_inputs, **state}

    async def update(self, op: Operation) -> Properties:
        """Switch it; a change of `force` alone does nothing."""
        if not op.preview:
            news = plain(op.news)
            self._call(World.here(), "update")
            switch(World.here(), news["instanceId"], running=news["state"] == "running", hard=news.get("force", False))
        return op.news

    async def delete(self, op: Operation) -> None:
        """Do nothing, as the real one."""


def _filters(args: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"Name": each["name"], "Values": each["values"]} for each in args.get("filters", ())]


async def _get_ami(args: Properties) -> Properties:
    asked = plain(args)
    found = _asked(_ec2().describe_images, Owners=asked["owners"], Filters=_filters(asked))["Images"]
    if not found or (len(found) > 1 and not asked.get("mostRecent")):
        raise PluginError("Your query returned no results, or more than one.")
    return {"id": max(found, key=lambda image: image["CreationDate"])["ImageId"]}


async def _get_instance_type(args: Properties) -> Properties:
    kind = plain(args)["instanceType"]
    found = _asked(_ec2().describe_instance_types, InstanceTypes=[kind])["InstanceTypes"][0]
    return {"id": kind, "supportedArchitectures": found["ProcessorInfo"]["SupportedArchitectures"]}


async def _get_subnet(args: Properties) -> Properties:
    found = _asked(_ec2().describe_subnets, SubnetIds=[plain(args)["id"]])["Subnets"][0]
    return {"id": found["SubnetId"], "vpcId": found["VpcId"]}


async def _get_subnets(args: Properties) -> Properties:
    found = _asked(_ec2().describe_subnets, Filters=_filters(plain(args)))["Subnets"]
    return {"id": REGION, "ids": [each["SubnetId"] for each in found]}


async def _get_instance(args: Properties) -> Properties:
    facts = World.here().get("instances", plain(args)["instanceId"])
    if facts is None:
        raise PluginError("no matching EC2 Instance found")
    return {**{key: facts[key] for key in ("id", "publicIp", "privateIp", "instanceState")}, "instanceId": facts["id"]}


PLUGIN = plugin(
    *(KeyPair(), SecurityGroup(), Instance(), InstanceState()),
    invokes={
        "aws:ec2/getAmi:getAmi": _get_ami,
        "aws:ec2/getInstance:getInstance": _get_instance,
        "aws:ec2/getInstanceType:getInstanceType": _get_instance_type,
        "aws:ec2/getSubnet:getSubnet": _get_subnet,
        "aws:ec2/getSubnets:getSubnets": _get_subnets,
    },
)


CLOUD = Cloud(
    provider="aws",
    plugins={"aws": "aws"},
    instances="instances",
    serve=moto,
    options=("--aws-tags", "team,web"),
    resize=("--aws-instance-type", "t3.medium"),
    resized={"instanceType": "t3.medium"},
    zones=("a", "b"),
    spot=("--aws-request-spot-instance", "--aws-spot-fallback"),
    no_credentials={"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""},
)
