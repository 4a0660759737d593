"""What Amazon EC2 is told of a machine, and what is asked of it directly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pulumi
import pytest
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from infra.components import drivers
from infra.components.drivers import Finding, Identity, aws_account
from infra.components.drivers.aws import DRIVER, AwsArgs
from infra.errors import NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.unit.infra.components.test_engine import awaited

REGION = "us-east-1"
OURS = {"mctl-owner": "ours", "mctl-stack": "prod", "mctl-machine": "web"}
LOOKED_UP: dict[str, dict[str, Any]] = {
    "aws:ec2/getInstanceType:getInstanceType": {"supportedArchitectures": ["arm64"]},
    "aws:ec2/getAmi:getAmi": {"id": "ami-debian"},
    "aws:ec2/getInstance:getInstance": {"publicIp": "203.0.113.9", "privateIp": "10.0.0.9"},
    "aws:ec2/getSubnet:getSubnet": {"vpcId": "vpc-of-the-subnet"},
    "aws:ec2/getSubnets:getSubnets": {"ids": ["subnet-b", "subnet-a"]},
}


DEBIAN = {
    "ami_id": "ami-0000000000000012",
    "name": "debian-12-amd64-20260101-1",
    "owner_id": aws_account.DEBIAN,
    "architecture": "x86_64",
    "virtualization_type": "hvm",
    "creation_date": "2026-01-01T00:00:00.000Z",
    "public": True,
}


class Recorder(pulumi.runtime.Mocks):
    """Note what is declared and what is looked up."""

    def __init__(self) -> None:
        self.made: dict[str, dict[str, Any]] = {}
        self.asked: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made[args.typ.rpartition(":")[2]] = dict(args.inputs)
        return f"{args.name}-id", {"keyName": "web-key-1", **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        self.asked[args.token] = dict(args.args)
        return LOOKED_UP[args.token]


@pytest.fixture
def recorder() -> Recorder:
    mocks = Recorder()
    pulumi.runtime.set_mocks(mocks)
    return mocks


def declare(args: AwsArgs, **settings: Any) -> str:
    """Declare a machine, and give its address."""
    spec = MachineSpec(name="web", provider="aws", allow_cidrs=("203.0.113.7/32", "2001:db8::/64"), **settings)
    keys = {"user_public_key": "ssh-ed25519 AAAA", "user_private_key": "KEY"}
    host = {"host_public_key": "ssh-ed25519 BBBB", "host_private_key": "HOST KEY"}
    identity = Identity(**keys, **host, tags=OURS)
    found: list[str] = []

    def build() -> pulumi.Output[None]:
        vm = DRIVER.vm(spec, args, identity, pulumi.ResourceOptions())
        return pulumi.Output.from_input(vm.address).apply(found.append)

    awaited(build)()
    return found[0]


def test_everything_bears_the_tags_and_the_instance_is_closed(recorder: Recorder) -> None:
    address = declare(AwsArgs(tags=("team,web", "cost=7"), zone="b"))
    tags = {**OURS, "Name": "web", "team": "web", "cost": "7"}
    instance = recorder.made["Instance"]
    assert [recorder.made[kind]["tags"] for kind in ("Instance", "KeyPair", "SecurityGroup")] == [tags] * 3
    assert instance["volumeTags"] == tags
    assert instance["metadataOptions"] == {
        "httpEndpoint": "enabled",
        "httpTokens": "required",
        "httpPutResponseHopLimit": 1,
    }
    assert instance["rootBlockDevice"]["encrypted"] is True
    assert (instance["ami"], instance["availabilityZone"]) == ("ami-debian", "us-east-1b")
    ingress = recorder.made["SecurityGroup"]["ingress"]
    assert [rule["fromPort"] for rule in ingress] == [22, 2376]
    assert {*map(str, (rule["cidrBlocks"] for rule in ingress))} == {"['203.0.113.7/32']"}
    assert {*map(str, (rule["ipv6CidrBlocks"] for rule in ingress))} == {"['2001:db8::/64']"}
    assert recorder.asked["aws:ec2/getAmi:getAmi"]["filters"][0]["values"] == ["debian-12-arm64-*"]
    assert address == "203.0.113.9"


@pytest.mark.parametrize(
    ("options", "vpc", "subnet"),
    [
        ({}, None, None),
        ({"subnet_id": "subnet-7"}, "vpc-of-the-subnet", "subnet-7"),
        ({"vpc_id": "vpc-7"}, "vpc-7", "subnet-a"),
        ({"vpc_id": "vpc-7", "subnet_id": "subnet-7"}, "vpc-7", "subnet-7"),
    ],
)
def test_instance_and_security_group_are_in_one_vpc(
    recorder: Recorder, options: dict[str, Any], vpc: str | None, subnet: str | None
) -> None:
    declare(AwsArgs(**options))
    assert (recorder.made["SecurityGroup"].get("vpcId"), recorder.made["Instance"].get("subnetId")) == (vpc, subnet)


def test_a_private_machine_gets_no_public_address_and_spare_capacity_can_be_stopped(recorder: Recorder) -> None:
    address = declare(AwsArgs(request_spot_instance=True, use_private_address=True), private_address_only=True)
    instance = recorder.made["Instance"]
    assert instance["associatePublicIpAddress"] is False
    assert instance["instanceMarketOptions"] == {
        "marketType": "spot",
        "spotOptions": {"instanceInterruptionBehavior": "stop", "spotInstanceType": "persistent"},
    }
    assert address == "10.0.0.9"


@pytest.mark.parametrize(
    ("running", "kill", "power"),
    [
        (True, False, {"state": "running", "force": False}),
        (False, False, {"state": "stopped", "force": False}),
        (False, True, {"state": "stopped", "force": True}),
    ],
)
def test_power_is_declared_and_a_kill_asks_nobody(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, running: bool, kill: bool, power: dict[str, Any]
) -> None:
    if kill:
        monkeypatch.setenv("MCTL_HARD_STOP", "1")
    declare(AwsArgs(), running=running)
    assert recorder.made["InstanceState"] == {"instanceId": "web-instance-id", **power}


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        (("team",), "--aws-tags 'team' has no value"),
        (("team,web,cost",), "--aws-tags 'cost' has no value"),
        (("=7",), "--aws-tags '=7' has no key"),
    ],
)
@pytest.mark.usefixtures("recorder")
def test_half_a_tag_is_refused(tags: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as told:
        declare(AwsArgs(tags=tags))
    assert (told.value.message, told.value.machine) == (message, "web")


def test_the_policy_allows_no_more_than_its_services() -> None:
    statements = json.loads(DRIVER.policy)["Statement"]
    assert {action.partition(":")[0] for each in statements for action in each["Action"]} == {
        *("ec2", "sts", "servicequotas", "iam")
    }
    assert not [action for each in statements for action in each["Action"] if "*" in action]


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account at AWS with a Debian image."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for variable in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(variable, "/dev/null")
    for variable in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr("moto.ec2.models.amis.AMIS", [dict(DEBIAN)])
    with mock_aws():
        client = boto3.Session(region_name=REGION).client("ec2")
        yield client


class Quotas:
    """The service that counts vCPUs."""

    def __init__(self, most: float) -> None:
        self.most = most

    def get_service_quota(self, **asked: str) -> dict[str, Any]:
        assert asked["ServiceCode"] == "ec2"
        return {"Quota": {"Value": self.most}}


def account(monkeypatch: pytest.MonkeyPatch, args: AwsArgs, vcpus: float = 8) -> dict[str, Finding]:
    real = aws_account._client
    monkeypatch.setattr(
        aws_account, "_client", lambda args, name: Quotas(vcpus) if name == "service-quotas" else real(args, name)
    )
    return {finding.name: finding for finding in DRIVER.account(args)} if DRIVER.account else {}


@pytest.mark.usefixtures("cloud")
def test_an_account_that_has_all_is_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    found = account(monkeypatch, AwsArgs())
    assert {name: (each.ok, each.value) for name, each in found.items() if name not in ("Account", "Network")} == {
        "Region": (True, "us-east-1"),
        "Image": (True, DEBIAN["ami_id"]),
        "Permissions": (True, "to make machines"),
        "Quota": (True, "8 of 8 vCPUs left"),
    }
    assert found["Account"].value.startswith("arn:aws:")
    assert found["Network"].value.startswith("vpc-")


@pytest.mark.usefixtures("cloud")
def test_without_credentials_one_learns_where_they_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    assert list(account(monkeypatch, AwsArgs()).values()) == [
        Finding(
            "Credentials",
            ok=False,
            value="AWS: Unable to locate credentials",
            mend="aws configure, or export AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
        )
    ]


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"instance_type": "t99.huge"}, "Region", "us-east-1 has no type t99.huge"),
        ({"instance_type": "t4g.small"}, "Image", "us-east-1 has no Debian 12"),
        ({"vpc_id": "vpc-0"}, "Network", "vpc-0 has no subnet"),
        ({"instance_type": "m5.4xlarge"}, "Quota", "8 of 8 vCPUs left"),
    ],
)
@pytest.mark.usefixtures("cloud")
def test_what_a_create_would_lack_is_found_before(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], name: str, value: str
) -> None:
    found = account(monkeypatch, AwsArgs(**options))
    assert [(each.name, each.value) for each in found.values() if not each.ok] == [(name, value)]


def test_a_vcpu_that_runs_is_one_less(cloud: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud.run_instances(ImageId=DEBIAN["ami_id"], InstanceType="t3.small", MinCount=3, MaxCount=3)
    quota = account(monkeypatch, AwsArgs())["Quota"]
    assert quota.value == "2 of 8 vCPUs left"


@pytest.mark.usefixtures("cloud")
def test_a_permission_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    iam = boto3.Session(region_name=REGION).client("iam")
    iam.create_user(UserName="half")
    allowed = [action for action in json.loads(DRIVER.policy)["Statement"][0]["Action"] if "RunInstances" not in action]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_user_policy(UserName="half", PolicyName="half", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="half")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    found = set_initial_no_auth_action_count(0)(account)(monkeypatch, AwsArgs())
    assert (found["Permissions"].ok, found["Permissions"].value) == (False, "missing: ec2:RunInstances, ec2:CreateTags")


def test_orphans_are_ours_alone_and_go_in_their_order(cloud: Any) -> None:
    make(cloud, "theirs", {"mctl-owner": "theirs", "Name": "web"})
    make(cloud, "bare", {})
    made = make(cloud, "ours", {**OURS, "Name": "web"})
    assert DRIVER.orphans
    found = list(DRIVER.orphans(AwsArgs(), {"mctl-owner": "ours"}))
    assert [(each.kind, each.id) for each in found] == [
        ("instance", made["instance"]),
        ("security group", made["group"]),
        ("key pair", "ours"),
    ]
    assert {(each.name, each.stack, each.machine) for each in found} == {("web", "prod", "web")}
    for each in found:
        each.delete()
    assert list(DRIVER.orphans(AwsArgs(), {"mctl-owner": "ours"})) == []
    assert {key["KeyName"] for key in cloud.describe_key_pairs()["KeyPairs"]} == {"theirs", "bare"}


def test_an_instance_is_found_by_its_id_in_its_region_alone(cloud: Any) -> None:
    made = make(cloud, "old", {})["instance"]
    told = cloud.describe_instances(InstanceIds=[made])["Reservations"][0]["Instances"][0]
    assert DRIVER.find
    assert DRIVER.find(AwsArgs(), made) == told["PublicIpAddress"]
    with pytest.raises(NotFoundError) as missing:
        DRIVER.find(AwsArgs(region="eu-west-1"), made)
    assert missing.value.message == f"AWS has no instance {made} in eu-west-1"


def make(cloud: Any, name: str, tags: dict[str, str]) -> dict[str, str]:
    told = [{"Key": key, "Value": value} for key, value in tags.items()]

    def tagged(kind: str) -> dict[str, Any]:
        return {"TagSpecifications": [{"ResourceType": kind, "Tags": told}]} if tags else {}

    cloud.create_key_pair(KeyName=name, **tagged("key-pair"))
    group = cloud.create_security_group(GroupName=name, Description=name, **tagged("security-group"))["GroupId"]
    instance = cloud.run_instances(
        ImageId=DEBIAN["ami_id"], MinCount=1, MaxCount=1, SecurityGroupIds=[group], **tagged("instance")
    )["Instances"][0]["InstanceId"]
    return {"group": group, "instance": instance}


def test_docker_machines_name_and_options_are_known() -> None:
    assert drivers.load("amazonec2") is DRIVER
