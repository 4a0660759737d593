"""Which rules a provider's firewall gets."""

from __future__ import annotations

import pytest

from infra.components.firewall import EVERYONE, Rule, rules
from infra.errors import UsageError
from infra.machine import MachineSpec

SPEC = MachineSpec(name="web", provider="digitalocean", allow_cidrs=("203.0.113.7/32",))


def test_ssh_and_docker_are_for_the_allowed_and_opened_ports_for_everyone() -> None:
    assert rules(SPEC, ["80", "51820/udp"]) == [
        Rule("tcp", 22, ("203.0.113.7/32",)),
        Rule("tcp", 2376, ("203.0.113.7/32",)),
        Rule("tcp", 80, EVERYONE),
        Rule("udp", 51820, EVERYONE),
    ]


@pytest.mark.parametrize("port", ["", "0", "65536", "80/icmp", "80-90", "http"])
def test_what_is_no_port_is_refused(port: str) -> None:
    with pytest.raises(UsageError) as told:
        rules(SPEC, [port])
    assert told.value.message == f"open port {port!r} is neither PORT nor PORT/udp, ports from 1 to 65535"
    assert told.value.machine == "web"


def test_a_member_of_a_swarm_lets_in_the_others_and_nobody_else() -> None:
    member = MachineSpec(name="web", provider="gcp", allow_cidrs=("203.0.113.7/32",), swarm_networks=("10.0.0.0/8",))
    assert rules(member)[2:] == [
        Rule("tcp", 2377, ("10.0.0.0/8",)),
        Rule("tcp", 7946, ("10.0.0.0/8",)),
        Rule("udp", 7946, ("10.0.0.0/8",)),
        Rule("udp", 4789, ("10.0.0.0/8",)),
        Rule("esp", 0, ("10.0.0.0/8",)),
    ]


def test_a_firewall_that_knows_no_ipsec_is_asked_for_none() -> None:
    member = MachineSpec(name="web", provider="digitalocean", swarm_networks=("10.0.0.0/8",))
    assert {rule.protocol for rule in rules(member)} == {"tcp", "udp"}
