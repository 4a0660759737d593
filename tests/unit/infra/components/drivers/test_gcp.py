"""What Google is told of a machine, and what it says of an account: the cases that the contract does not come to."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc
from ruamel.yaml import YAML

from infra.components.drivers import Finding, Identity, gcp_account, load, read_args
from infra.errors import MctlError, NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.clouds import gcp as cloud
from tests.clouds import instances
from tests.clouds.api import CA
from tests.clouds.world import World
from tests.unit.infra.components.test_engine import awaited

DRIVER = load("gcp")
TAGS = {"mctl-owner": "0123", "mctl-project": "mctl", "mctl-stack": "Prod.1", "mctl-machine": "web"}
VM, FIREWALL = "gcp:compute/instance:Instance", "gcp:compute/firewall:Firewall"


class Recorder(pulumi.runtime.Mocks):
    """Stand for the engine, and for Google where an address is looked up."""

    def __init__(self) -> None:
        self.sent: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        assert args.typ in (VM, FIREWALL)
        self.sent[args.name] = dict(args.inputs)
        if args.typ == VM:  # the host's private key is in it
            assert rpc.is_rpc_secret(args.inputs["metadata"])
            self.sent[args.name]["metadata"] = rpc.unwrap_rpc_secret(args.inputs["metadata"])
        cards = [{**card, "networkIp": "10.128.0.2"} for card in args.inputs.get("networkInterfaces", ())]
        return f"{args.name}-id", {**args.inputs, **({"networkInterfaces": cards} if cards else {})}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        wanted = {"name": "front", "region": "us-central1", "project": "p"}
        assert (args.token, args.args) == ("gcp:compute/getAddress:getAddress", wanted)
        return {"address": "198.51.100.9"}


def declared(options: Mapping[str, Any], *cidrs: str) -> tuple[dict[str, dict[str, Any]], str]:
    """Give all that is sent of a machine, and its address."""
    spec = MachineSpec(name="web", provider="gcp", allow_cidrs=cidrs or ("203.0.113.7/32",), options=options)
    recorder = Recorder()
    addresses: list[str] = []
    pulumi.runtime.set_mocks(recorder, project="mctl", stack="prod", preview=False)
    identity = Identity(
        user_public_key="ssh-ed25519 USER",
        user_private_key="KEY",
        host_public_key="ssh-ed25519 HOST",
        host_private_key="HOST KEY",
        tags=TAGS,
    )

    def build() -> pulumi.Output[None]:
        vm = DRIVER.vm(spec, read_args(DRIVER, "web", {"project": "p", **options}), identity, pulumi.ResourceOptions())
        return pulumi.Output.from_input(vm.address).apply(addresses.append)

    awaited(build)()
    return recorder.sent, addresses[0]


def test_a_vm_starts_from_ubuntu_of_its_types_architecture_and_boots_signed_code() -> None:
    sent, _ = declared({})
    first = sent["web-vm"]["bootDisk"]["initializeParams"]
    assert (first["image"], first["type"]) == ("ubuntu-os-cloud/ubuntu-2404-lts-amd64", "pd-balanced")
    assert sent["web-vm"]["shieldedInstanceConfig"]["enableSecureBoot"]
    arm = declared({"machine_type": "c4a-standard-1"})[0]["web-vm"]["bootDisk"]["initializeParams"]
    assert (arm["image"], arm["type"]) == ("ubuntu-os-cloud/ubuntu-2404-lts-arm64", "hyperdisk-balanced")


def test_an_image_may_be_spelled_as_docker_machine_spells_it() -> None:
    sent, _ = declared({"machine_image": "debian-cloud/global/images/debian-12-x"})
    image = sent["web-vm"]["bootDisk"]["initializeParams"]["image"]
    assert image == "projects/debian-cloud/global/images/debian-12-x"
    assert "shieldedInstanceConfig" not in sent["web-vm"]


def test_everything_bears_whose_it_is() -> None:
    vm, rule = (declared({"labels": ("team=core",)})[0][name] for name in ("web-vm", "web-firewall"))
    labels = {**TAGS, "mctl-stack": "prod_1", "team": "core"}
    assert (vm["labels"], vm["bootDisk"]["initializeParams"]["labels"]) == (labels, labels)
    assert TAGS.items() <= vm["metadata"].items()
    assert json.loads(rule["description"]) == TAGS


def test_a_firewall_is_for_this_machine_alone_and_never_without_sources() -> None:
    sent, _ = declared({"open_port": ("80,53/udp",), "tags": ("web,db",)}, "203.0.113.7/32", "2001:db8::/32")
    own, public = sent["web-firewall"], sent["web-open-ports"]
    assert sent["web-vm"]["tags"] == [*own["targetTags"], "web", "db"]
    assert own["allows"] == [{"protocol": "tcp", "ports": ["22", "2376"]}]
    assert public["allows"] == [{"protocol": "tcp", "ports": ["80"]}, {"protocol": "udp", "ports": ["53"]}]
    assert (own["sourceRanges"], public["sourceRanges"]) == (["203.0.113.7/32"], ["0.0.0.0/0"])
    assert set(declared({}, "2001:db8::/32")[0]) == {"web-vm"}


def test_spot_service_account_and_login_are_sent() -> None:
    vm = declared({"spot": True, "service_account": "a@b.example", "scopes": ("cloud-platform",)})[0]["web-vm"]
    assert (vm["scheduling"]["provisioningModel"], vm["scheduling"]["automaticRestart"]) == ("SPOT", False)
    assert vm["serviceAccount"] == {"email": "a@b.example", "scopes": ["cloud-platform"]}
    assert vm["metadata"]["enable-oslogin"] == "FALSE"
    assert "serviceAccount" not in declared({"service_account": ""})[0]["web-vm"]


@pytest.mark.parametrize(
    ("options", "access", "address"),
    [
        ({"address": "198.51.100.7"}, [{"natIp": "198.51.100.7"}], "198.51.100.7"),
        ({"address": "front"}, [{"natIp": "198.51.100.9"}], "198.51.100.9"),
        ({"use_internal_ip": True}, [{}], "10.128.0.2"),
        ({"use_internal_ip_only": True}, [], "10.128.0.2"),
        ({}, [{}], ""),
    ],
)
def test_the_address_is_the_one_that_was_asked_for(options: dict[str, Any], access: list[Any], address: str) -> None:
    sent, found = declared(options)
    assert (sent["web-vm"]["networkInterfaces"][0].get("accessConfigs", []), found) == (access, address)


@pytest.mark.parametrize(
    ("name", "cidr", "labels", "message"),
    [
        (
            "Web",
            "192.0.2.0/24",
            (),
            "Google has no VM 'Web': small letters, digits and '-', at most 46, a letter first",
        ),
        (
            "web",
            "2001:db8::/32",
            (),
            "--allow-cidr: Google's VM has an IPv4 address, and no IPv4 network may connect to it",
        ),
        (
            "web",
            "192.0.2.0/24",
            ("Team=x",),
            "--gcp-labels 'Team=x' is not KEY=VALUE of small letters, digits, '_' and '-'",
        ),
    ],
)
def test_what_google_would_refuse_is_refused_first(name: str, cidr: str, labels: tuple[str, ...], message: str) -> None:
    spec = MachineSpec(name=name, provider="gcp", allow_cidrs=(cidr,))
    with pytest.raises(UsageError) as error:
        DRIVER.check(spec, read_args(DRIVER, name, {"labels": labels}))
    assert error.value.message == message


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Google's API over HTTP, and credentials for it."""
    world = World(tmp_path)
    for variable in (gcp_account.TOKEN, gcp_account.KEY, *gcp_account.PROJECTS):
        monkeypatch.delenv(variable, raising=False)
    with cloud.CLOUD.serve(world) as variables:
        for variable, value in {**variables, "REQUESTS_CA_BUNDLE": str(tmp_path / CA)}.items():
            monkeypatch.setenv(variable, value)
        yield world


def account(**options: Any) -> list[Finding]:
    assert DRIVER.account
    return list(DRIVER.account(read_args(DRIVER, "", options)))


def test_an_account_is_told_with_its_project_permissions_and_quota(world: World) -> None:
    world.set_fault("limit", 6)
    assert [(each.name, each.value) for each in account() if each.ok] == [
        ("Account", "ops@mctl-tests.iam.gserviceaccount.com, project mctl-tests"),
        ("Permissions", "all there"),
        ("Machine type", "e2-medium in us-central1-a"),
        ("Quota", "6 CPUS left, the VM takes 2"),
    ]


def test_what_is_missing_is_found_before_anything_is_made(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.set_fault("limit", 1)
    world.set_fault("denied", ["compute.disks.create"])
    assert [(each.name, each.value) for each in account() if not each.ok] == [
        ("Permissions", "missing: compute.disks.create"),
        ("Quota", "1 CPUS left, the VM takes 2"),
    ]
    assert account(machine_type="e9-huge")[-1].value == "Google: The resource 'e9-huge' was not found"
    assert account(zone="mars-1-a")[0].value == "Google: The resource 'mars-1' was not found"
    monkeypatch.setenv(gcp_account.TOKEN, "expired")
    assert account()[0] == Finding(
        "Credentials",
        ok=False,
        value="no project of Google is named",
        mend="export GOOGLE_PROJECT=ID, or --gcp-project ID",
    )
    assert account(project="mctl-tests")[0].value == "Google: Request had invalid authentication credentials."


def test_a_person_is_told_by_their_email_where_their_login_lets_it_be_seen(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(gcp_account.TOKEN, cloud.TOKEN)
    here = os.environ[gcp_account.RESOURCES[0]].removesuffix("v1/")
    monkeypatch.setattr(gcp_account, "PEOPLE", ("", f"{here}openid/"))
    assert account(project="mctl-tests")[0].value == "a user, project mctl-tests"
    world.set_fault("person", {"email": "ada@example.com"})
    assert account(project="mctl-tests")[0].value == "ada@example.com, project mctl-tests"
    monkeypatch.setattr(gcp_account, "PEOPLE", ("", f"{here}forbidden/"))
    assert account(project="mctl-tests")[0].value == "a user, project mctl-tests"


def test_a_key_in_the_environment_comes_before_the_default_credentials(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = Path(str(world.folder / "service-account.key"))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "")
    assert (account()[0].name, account()[0].ok) == ("Credentials", False)
    for key in (file.read_text(), str(file)):
        monkeypatch.setenv(gcp_account.KEY, key)
        assert account()[0].ok


def test_the_project_of_the_credentials_is_declared(world: World) -> None:
    spec = MachineSpec(name="web", provider="gcp", allow_cidrs=("192.0.2.0/24",))
    assert DRIVER.check(spec, read_args(DRIVER, "web", {})).options == {"project": cloud.PROJECT}


def test_orphans_are_ours_alone_and_go_for_good(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instances, "remove", lambda _world, _id: None)
    for owner, name in (("0123", "web"), ("4567", "theirs")):
        tags = {**TAGS, "mctl-owner": owner}
        vm = {"zone": "us-central1-b", "labels": {"mctl-owner": owner}, "metadata": tags, "machineType": "e2-medium"}
        for kind, place, facts in (
            ("instances", f"projects/mctl-tests/zones/us-central1-b/instances/{name}", vm),
            ("firewalls", f"projects/mctl-tests/global/firewalls/{name}", {"description": json.dumps(tags)}),
        ):
            world.put(kind, place, {**facts, "name": name, "selfLink": f"https://compute.example/{place}"})
    assert DRIVER.orphans
    found = list(DRIVER.orphans(read_args(DRIVER, "", {}), {"mctl-owner": "0123"}))
    assert [(each.kind, each.id, each.stack, each.machine) for each in found] == [
        ("VM", "projects/mctl-tests/zones/us-central1-b/instances/web", "Prod.1", "web"),
        ("firewall rule", "projects/mctl-tests/global/firewalls/web", "Prod.1", "web"),
    ]
    for orphan in found:
        orphan.delete()
    assert [each.rpartition("%")[2] for each in world.left()] == ["theirs", "theirs"]
    with pytest.raises(MctlError, match="was not found"):
        found[0].delete()


def test_an_instance_is_found_by_its_name_or_its_path(world: World) -> None:
    place = "projects/mctl-tests/zones/us-central1-a/instances/old"
    world.put("instances", place, {"address": "198.51.100.3", "internal": "10.128.0.3"})
    args = read_args(DRIVER, "", {})
    assert DRIVER.find
    assert (DRIVER.find(args, "old"), DRIVER.find(args, place)) == ("198.51.100.3", "198.51.100.3")
    assert DRIVER.find(read_args(DRIVER, "", {"use_internal_ip": True}), "old") == "10.128.0.3"
    world.put("instances", place, {"address": "", "internal": "10.128.0.3"})
    assert DRIVER.find(args, "old") == ""
    with pytest.raises(NotFoundError):
        DRIVER.find(args, "new")


def test_the_policy_is_a_role_that_google_takes() -> None:
    role = YAML(typ="safe").load(DRIVER.policy)
    assert (role["title"], role["stage"]) == ("mctl", "GA")
    assert {"compute.instances.create", "compute.firewalls.create"} <= set(role["includedPermissions"])
