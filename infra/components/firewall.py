"""What a provider's firewall lets in: SSH and Docker for those who may, further ports for everyone.

A member of a Swarm lets in the others' ports besides, from the networks that they are in.
Source: https://docs.docker.com/engine/swarm/swarm-tutorial/#open-protocols-and-ports-between-the-hosts
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from infra.components import drivers
from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec

SSH_PORT = 22
EVERYONE = ("0.0.0.0/0", "::/0")
ESP = "esp"  # IPsec, in which encrypted overlay networks travel (RFC 4303): a protocol of its own, without ports
ESP_NUMBER = 50
SWARM_PORTS = (("tcp", 2377), ("tcp", 7946), ("udp", 7946), ("udp", 4789), (ESP, 0))


class Rule(NamedTuple):
    """Let in `protocol` (tcp, udp, or esp with port 0) on one port from `sources` (CIDRs)."""

    protocol: str
    port: int
    sources: tuple[str, ...]


def rules(spec: MachineSpec, open_ports: Sequence[str] = (), *, ssh_port: int = SSH_PORT) -> list[Rule]:
    """Give the rules of one machine. open_ports: `PORT` or `PORT/udp`, which are for everyone. Raises UsageError."""
    own = [Rule("tcp", port, spec.allow_cidrs) for port in (ssh_port, PORT)]
    if spec.swarm_networks:
        passing = [each for each in SWARM_PORTS if each[0] != ESP or drivers.load(spec.provider).passes_esp]
        own += [Rule(protocol, port, spec.swarm_networks) for protocol, port in passing]
    return own + [Rule(protocol, port, EVERYONE) for port, protocol in (_port(spec.name, text) for text in open_ports)]


def _port(machine: str, text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]{1,5})(?:/(tcp|udp))?", text)
    if not found or not 0 < int(found[1]) < 65536:
        raise UsageError(f"open port {text!r} is neither PORT nor PORT/udp, ports from 1 to 65535", machine=machine)
    return int(found[1]), found[2] or "tcp"
