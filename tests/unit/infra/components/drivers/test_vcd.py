"""The vcd driver, as far as its contract over the stand-in Cloud Director can't see it."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.components.drivers import Identity, Power, Vm, vcd, vcd_account, vcd_api
from infra.components.ownership import tags
from infra.errors import NotFoundError, UsageError
from infra.machine import MachineSpec
from tests.certificates import Authority
from tests.clouds import instances
from tests.clouds import vcd as standin
from tests.clouds.api import CA
from tests.clouds.world import Facts, World

OURS = tags("0123456789abcdef", "shop", "prod", "web.1")
THEIRS = tags("fedcba9876543210", "shop", "prod", "web.1")
SPEC = MachineSpec(name="web.1", provider="vcd")
NEEDED = {"catalog": "images", "catalogitem": "debian-12", "orgvdcnetwork": "routed"}
awaited: Callable[[Callable[[], Any]], Callable[[], Any]] = pulumi.runtime.test


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with standin.CLOUD.serve(world) as variables:
        for name, value in {**variables, "REQUESTS_CA_BUNDLE": str(world.folder / CA)}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(vcd_api, "POLL_SECONDS", 0.01)
        yield world


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Have VMs that are on by their ids, and no hosts behind them."""
    on: set[str] = set()
    monkeypatch.setattr(instances, "runs", lambda _world, vm: vm in on)
    monkeypatch.setattr(instances, "stop", lambda _world, vm, hard=False: on.discard(vm))
    monkeypatch.setattr(instances, "resume", lambda _world, vm, address="": on.add(vm))
    monkeypatch.setattr(instances, "remove", lambda _world, vm: on.discard(vm))
    return on


def args(**options: Any) -> vcd.VcdArgs:
    return vcd.VcdArgs(**NEEDED | options)


def have_vm(world: World, number: int, whose: dict[str, str]) -> str:
    vm = f"urn:vcloud:vm:00000000-0000-4000-8000-00000000000{number}"
    entries = [{"key": key, "value": value} for key, value in whose.items()]
    world.put("vms", vm, {"name": "web.1", "memory": 2048, "address": "10.0.0.5", "metadataEntries": entries})
    return vm


def test_orphans_are_what_bears_our_marks_in_an_order_that_can_be_deleted(world: World, running: set[str]) -> None:
    ours, theirs = have_vm(world, 1, OURS), have_vm(world, 2, THEIRS)
    running.add(ours)
    for number, name in enumerate(("mctl.0123456789abcdef.prod.web.1 ssh", "mctl.fedcba9876543210.prod.web.1 ssh")):
        world.put("profiles", f"urn:vcloud:applicationPortProfile:{number}", {"name": name})
    for number, name in enumerate(("office", "out", "mctl.0123456789abcdef.prod.web.1 ssh")):
        world.put("nat_rules", f"00{number}", {"name": name})
    found = list(vcd_account.orphans(args(), {"mctl-owner": OURS["mctl-owner"]}))
    assert [(each.kind, each.id) for each in found] == [
        ("NAT rule", "002"),
        ("port profile", "urn:vcloud:applicationPortProfile:0"),
        ("VM", ours),
    ]
    assert {(each.stack, each.machine) for each in found} == {("prod", "web.1")}
    for each in found:
        each.delete()
    assert world.left() == [
        "nat_rules/000",
        "nat_rules/001",
        "profiles/urn:vcloud:applicationPortProfile:1",
        f"vms/{theirs}",
    ]


def test_a_guest_that_does_not_shut_down_is_switched_off(world: World, running: set[str]) -> None:
    vm = have_vm(world, 1, OURS)
    running.add(vm)
    world.set_fault("no tools", 1)
    vcd_account.power(None, vm, Power.STOP)
    assert running == set()
    assert world.calls().count(f"POST /api/vApp/vm-{vm.rpartition(':')[2]}/action/undeploy") == 2


def test_what_is_off_or_on_already_is_left_alone(world: World, running: set[str]) -> None:
    vm = have_vm(world, 1, OURS)
    vcd_account.power(None, vm, Power.STOP)
    running.add(vm)
    vcd_account.power(None, vm, Power.START)
    assert not [call for call in world.calls() if "/action/" in call]


def test_a_vm_that_is_gone_is_told_as_gone_though_it_is_called_forbidden(world: World) -> None:
    with pytest.raises(NotFoundError) as error:
        vcd_account.power(None, "urn:vcloud:vm:00000000-0000-4000-8000-000000000009", Power.STOP)
    assert error.value.message.startswith("Cloud Director: No access to entity")


def test_doctor_says_who_one_is_and_what_is_there(world: World) -> None:
    have_vm(world, 1, THEIRS)
    found = list(vcd_account.account(args(edgegateway="edge-1")))
    assert [(each.name, each.ok, each.value) for each in found] == [
        ("Account", True, "ops of acme"),
        ("Role", True, "vApp Author"),
        ("VDC", True, "prod"),
        ("Memory", True, "63488 MB left"),
        ("Template", True, "debian-12"),
        ("Network", True, "routed"),
        ("Edge gateway", True, "edge-1"),
    ]
    assert world.calls().count("DELETE /cloudapi/1.0.0/sessions/current") == 1


def test_doctor_says_what_is_missing_and_how_to_mend_it(world: World) -> None:
    world.set_fault("memory", 1024)
    wanted = args(catalogitem="ubuntu", orgvdcnetwork="dmz", edgegateway="edge-9")
    assert [(each.value, each.mend) for each in vcd_account.account(wanted) if not each.ok] == [
        ("1024 MB left", "ask for more"),
        ("there is no ubuntu", "choose another with --vcd-catalogitem"),
        ("there is no dmz", "choose another with --vcd-orgvdcnetwork"),
        ("there is no edge-9", "choose another with --vcd-edgegateway"),
    ]
    (vdc,) = [each for each in vcd_account.account(args(vdcid="test")) if each.name == "VDC"]
    assert (vdc.ok, vdc.value) == (False, "there is no test")


def test_an_api_token_is_a_login_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VCD_AUTH_TYPE", "api_token")
    monkeypatch.delenv("VCD_PASSWORD")
    (found,) = vcd_account.account(args())
    assert (found.value, found.mend) == ("missing: VCD_API_TOKEN", "export VCD_API_TOKEN=…")
    monkeypatch.setenv("VCD_API_TOKEN", "wrong")
    (found,) = vcd_account.account(args())
    assert (found.ok, found.value) == (False, "Cloud Director: Invalid refresh token")
    monkeypatch.setenv("VCD_API_TOKEN", standin.API_TOKEN)
    assert next(iter(vcd_account.account(args()))).value == "ops of acme"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("VCD_PASSWORD", "wrong", "Cloud Director: The request has invalid credentials."),
        ("VCD_USER", "", "missing: VCD_USER"),
        ("VCD_URL", "", "missing: VCD_URL"),
        ("VCD_AUTH_TYPE", "saml_adfs", "VCD_AUTH_TYPE saml_adfs: only integrated, api_token, token can be used here"),
    ],
)
def test_doctor_says_why_nobody_gets_in(
    variable: str, value: str, said: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, value)
    (found,) = vcd_account.account(args())
    assert (found.name, found.ok, found.value) == ("Credentials", False, said)


def test_a_certificate_is_checked_unless_the_vendors_variable_says_not_to(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "other.pem").write_text(Authority().cert)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "other.pem"))
    (found,) = vcd_account.account(args())
    assert not found.ok
    assert "CERTIFICATE_VERIFY_FAILED" in found.value
    monkeypatch.setenv("VCD_ALLOW_UNVERIFIED_SSL", "true")
    assert all(each.ok for each in vcd_account.account(args()))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"catalog": ""}, "provider vcd needs --vcd-catalog"),
        ({"orgvdcnetwork": ""}, "provider vcd needs --vcd-orgvdcnetwork"),
        ({"publicip": "198.51.100.7"}, "--vcd-edgegateway and --vcd-publicip go together"),
        ({"edgegateway": "edge-1"}, "--vcd-edgegateway and --vcd-publicip go together"),
        (
            {"edgegateway": "edge-1", "publicip": "198.51.100.7", "dhcp": True},
            "--vcd-publicip leads to an address that stays: --vcd-dhcp gives none",
        ),
        ({"ssh_port": 2222}, "--vcd-ssh-port and --vcd-docker-port are ports of --vcd-publicip"),
    ],
)
def test_an_option_that_is_missing_or_wrong_is_refused_first(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as error:
        vcd.check(SPEC, args(**options))
    assert error.value.message == message


class Engine(pulumi.runtime.Mocks):
    """Stand for the engine, and note each resource's inputs."""

    def __init__(self) -> None:
        self.inputs: dict[str, Facts] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.name] = dict(args.inputs)
        networks = [{**each, "ip": "10.0.0.5"} for each in args.inputs.get("networks", ())]
        return f"{args.name}-id", {**args.inputs, "networks": networks}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return {**args.args, "id": f"{args.args['name']}-id", "ownerId": "vdc-id"}


def declare(options: vcd.VcdArgs, spec: MachineSpec = SPEC) -> tuple[dict[str, Facts], list[Any]]:
    """Give each resource's inputs, and how the VM is reached, once all are declared."""
    engine, reached = Engine(), list[Any]()
    pulumi.runtime.set_mocks(engine, project="mctl", stack="prod", preview=False)

    def run() -> Any:
        identity = Identity(
            user_public_key="ssh-ed25519 AAAA",
            user_private_key="user's",
            host_public_key="ssh-ed25519 BBBB",
            host_private_key="host's",
            tags=OURS,
        )
        vm: Vm = vcd.vm(spec, options, identity, pulumi.ResourceOptions())
        facts = (vm.address, vm.private_address, vm.ssh_port, vm.docker_port, vm.instance_id)
        return pulumi.Output.all(*facts).apply(reached.extend)

    awaited(run)()
    return engine.inputs, reached


def test_without_a_public_address_the_vms_own_is_used_and_no_edge_is_touched() -> None:
    inputs, reached = declare(args(dhcp=True))
    assert reached == ["10.0.0.5", "10.0.0.5", 22, 2376, "web.1-vm-id"]
    assert list(inputs) == ["web.1-vm"]
    made = inputs["web.1-vm"]
    assert (made["computerName"], made["networkDhcpWaitSeconds"]) == ("web-1", 300)
    assert made["customization"]["enabled"] is False
    assert {entry["key"]: entry["value"] for entry in made["metadataEntries"]} == OURS
    assert b64decode(made["guestProperties"]["value"]["user-data"]).startswith(b"#cloud-config\n")


def test_two_ports_of_a_public_address_lead_to_ssh_and_docker() -> None:
    options = args(edgegateway="edge-1", publicip="198.51.100.7", ssh_port=2222, docker_port=2377)
    inputs, reached = declare(options)
    assert reached == ["198.51.100.7", "10.0.0.5", 2222, 2377, "web.1-vm-id"]
    rules = {name: each for name, each in inputs.items() if name.endswith("-nat")}
    ends = {(each["externalAddress"], each["internalAddress"]) for each in rules.values()}
    assert ends == {("198.51.100.7", "10.0.0.5")}
    ports = {name: each.get("dnatExternalPort") for name, each in rules.items()}
    assert ports == {"web.1-ssh-nat": "2222", "web.1-docker-nat": "2377", "web.1-out-nat": None}
    inner = [inputs[f"web.1-{name}-port"]["appPorts"] for name in ("ssh", "docker")]
    assert inner == [[{"protocol": "TCP", "ports": [port]}] for port in ("22", "2376")]


def test_the_private_address_is_reached_by_its_own_ports() -> None:
    spec = MachineSpec(name="web.1", provider="vcd", private_address_only=True)
    _, reached = declare(args(edgegateway="edge-1", publicip="198.51.100.7", ssh_port=2222), spec)
    assert reached[2:4] == [22, 2376]
