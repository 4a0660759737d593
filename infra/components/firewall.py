"""What a provider's firewall lets in: SSH and Docker for those who may, further ports for everyone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec

SSH_PORT = 22
EVERYONE = ("0.0.0.0/0", "::/0")


class Rule(NamedTuple):
    """Let in `protocol` (tcp or udp) on one port from `sources` (CIDRs)."""

    protocol: str
    port: int
    sources: tuple[str, ...]


def rules(spec: MachineSpec, open_ports: Sequence[str] = (), *, ssh_port: int = SSH_PORT) -> list[Rule]:
    """Give the rules of one machine. open_ports: `PORT` or `PORT/udp`, which are for everyone. Raises UsageError."""
    own = [Rule("tcp", port, spec.allow_cidrs) for port in (ssh_port, PORT)]
    return own + [Rule(protocol, port, EVERYONE) for port, protocol in (_port(spec.name, text) for text in open_ports)]


def _port(machine: str, text: str) -> tuple[int, str]:
    found = re.fullmatch(r"([0-9]{1,5})(?:/(tcp|udp))?", text)
    if not found or not 0 < int(found[1]) < 65536:
        raise UsageError(f"open port {text!r} is neither PORT nor PORT/udp, ports from 1 to 65535", machine=machine)
    return int(found[1]), found[2] or "tcp"
