"""What each provider's firewall is told of a member of a Swarm: the others' ports, for their networks alone."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pulumi
import pytest

from infra.components import drivers
from infra.components.drivers import Identity
from infra.components.ownership import tags
from infra.machine import MachineSpec
from infra.plugins.server import Operation
from tests.clouds import instances
from tests.clouds.standin import StandIn
from tests.clouds.world import World
from tests.unit.infra.components.test_engine import awaited

Facts = dict[str, Any]
Lets = tuple[str, str, str]  # protocol, port ("" where it has none), source
CALLER, NETWORKS = "203.0.113.7/32", ("10.0.0.0/8", "192.168.0.0/16")
OWN = {("tcp", "22", CALLER), ("tcp", "2376", CALLER)}
IPSEC = {("esp", "", network) for network in NETWORKS}
SWARM = {
    (protocol, port, network)
    for protocol, port in (("tcp", "2377"), ("tcp", "7946"), ("udp", "7946"), ("udp", "4789"))
    for network in NETWORKS
}
OPTIONS: dict[str, Facts] = {
    "gcp": {"project": "mctl-tests"},
    "openstack": {"flavor_name": "m1.small", "net_id": "net-1"},
    "rackspace": {"region": "IAD", "net_id": "net-1"},
}
ADDRESS = "10.0.0.5"
COMPUTED: Facts = {"keyName": "web"}


def aws(sent: Facts) -> Iterator[Lets]:
    for rule in sent["ingress"]:
        for source in (*rule["cidrBlocks"], *rule["ipv6CidrBlocks"]):
            assert rule["fromPort"] == rule["toPort"]
            yield {"50": "esp"}.get(rule["protocol"], rule["protocol"]), _port(rule["fromPort"]), source


def azure(sent: Facts) -> Iterator[Lets]:
    *rules, last = sent["securityRules"]
    assert (last["access"], last["sourceAddressPrefix"], last["protocol"]) == ("Deny", "VirtualNetwork", "*")
    for rule in rules:
        assert (rule["access"], rule["direction"]) == ("Allow", "Inbound")
        for source in rule.get("sourceAddressPrefixes") or [rule["sourceAddressPrefix"]]:
            yield rule["protocol"].lower(), rule["destinationPortRange"].strip("*"), source


def digitalocean(sent: Facts) -> Iterator[Lets]:
    for rule in sent["inboundRules"]:
        yield from ((rule["protocol"], rule["portRange"], source) for source in rule["sourceAddresses"])


def exoscale(sent: Facts) -> Iterator[Lets]:
    assert (sent["type"], sent.get("startPort")) == ("INGRESS", sent.get("endPort"))
    yield sent["protocol"].lower(), _port(sent.get("startPort")), sent["cidr"]


def gcp(sent: Facts) -> Iterator[Lets]:
    for rule in sent["allows"]:
        for source in sent["sourceRanges"]:
            yield from ((rule["protocol"], port, source) for port in rule.get("ports") or [""])


def openstack(sent: Facts) -> Iterator[Lets]:
    assert (sent["direction"], sent.get("portRangeMin")) == ("ingress", sent.get("portRangeMax"))
    yield sent["protocol"], _port(sent.get("portRangeMin")), sent["remoteIpPrefix"]


def softlayer(sent: Facts) -> Iterator[Lets]:
    for rule in sent["rules"]:
        if rule["direction"] == "ingress":
            assert rule["portRangeMin"] == rule["portRangeMax"]
            yield rule["protocol"], _port(rule["portRangeMin"]), rule.get("remoteIp", "everyone")


READERS: Mapping[str, Callable[[Facts], Iterator[Lets]]] = {
    "aws:ec2/securityGroup:SecurityGroup": aws,
    "azure-native:network:NetworkSecurityGroup": azure,
    "digitalocean:index/firewall:Firewall": digitalocean,
    "exoscale:index/securityGroupRule:SecurityGroupRule": exoscale,
    "gcp:compute/firewall:Firewall": gcp,
    "openstack:networking/secGroupRule:SecGroupRule": openstack,
    "softlayer:index:SecurityGroup": softlayer,
}


def _port(number: int | None) -> str:
    return str(number) if number else ""


class Cloud(pulumi.runtime.Mocks):
    """Stand for the engine: what the provider's stand-in would refuse of a firewall is refused, the rest is noted."""

    def __init__(self, world: World, machines: str, standins: Mapping[str, Any]) -> None:
        self.lets: set[Lets] = set()
        self.refused: list[object] = []
        self._world, self._machines, self._standins = world, machines, standins

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, Facts]:
        sent: Facts = json.loads(json.dumps(dict(args.inputs)), parse_float=lambda text: int(float(text)))
        made, more, standin, read = "7", COMPUTED, self._standins.get(args.typ), READERS.get(args.typ)
        if isinstance(standin, StandIn):
            news, failures = standin.check(Operation(f"urn::{args.name}", news=sent))
            self.refused += [*failures, *(standin.refuse(self._world, dict(news)) if read else ())]
            if not args.typ.startswith("aws:") and standin.kind != self._machines:  # moto is not here, and no host
                made, more = standin.make(self._world, dict(news))
            self._world.put(standin.kind, made, {**news, **more})
        self.lets |= set(read(sent) if read else ())
        cards = [{**card, "networkIp": ADDRESS} for card in args.inputs.get("networkInterfaces", ())]
        return made, {**more, **args.inputs, **({"networkInterfaces": cards} if cards else {})}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return {**args.args, "id": "looked-up", "supportedArchitectures": ["x86_64"]}


@pytest.fixture(autouse=True)
def no_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have nothing started behind an instance."""
    for name in ("lead", "new_address"):
        monkeypatch.setattr(instances, name, lambda *_, **__: ADDRESS)


def closing() -> list[str]:
    return [name for name in drivers.names() if drivers.load(name).closes]


def let_in(provider: str, folder: Path, networks: tuple[str, ...]) -> set[Lets]:
    """Declare one machine, and give what its firewall lets in."""
    driver = drivers.load(provider)
    module = import_module(f"tests.clouds.{provider}")
    plugins = [import_module(f"tests.clouds.{name}").PLUGIN for name in module.CLOUD.plugins.values()]
    kinds = {token: kind for plugin in plugins for token, kind in plugin.resources.items()}
    cloud = Cloud(World(folder), module.CLOUD.instances, kinds)
    pulumi.runtime.set_mocks(cloud, project="mctl", stack="test", preview=False)
    spec = MachineSpec(name="web", provider=provider, allow_cidrs=(CALLER,), swarm_networks=networks)
    args = drivers.read_args(driver, "web", OPTIONS.get(provider, {}))
    identity = Identity(
        user_public_key="ssh-ed25519 AAAA",
        user_private_key="KEY",
        host_public_key="ssh-ed25519 BBBB",
        host_private_key="HOST KEY",
        tags=tags("0123456789abcdef", "mctl", "test", "web"),
    )

    def build() -> Any:
        vm = driver.vm(spec, args, identity, pulumi.ResourceOptions())
        return pulumi.Output.all(vm.instance_id, vm.address)

    awaited(build)()
    assert cloud.refused == []
    return cloud.lets


@pytest.mark.parametrize("provider", closing())
def test_a_member_lets_in_the_swarms_ports_from_its_networks_alone(provider: str, tmp_path: Path) -> None:
    knows_ipsec = provider not in ("digitalocean", "softlayer")
    assert let_in(provider, tmp_path, NETWORKS) == OWN | SWARM | (IPSEC if knows_ipsec else set())


@pytest.mark.parametrize("provider", closing())
def test_a_machine_that_is_in_no_swarm_any_more_lets_in_nothing_of_it(provider: str, tmp_path: Path) -> None:
    assert let_in(provider, tmp_path, ()) == OWN
