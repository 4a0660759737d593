"""The address that this computer has on the internet, which a provider's firewall is to let in."""

from __future__ import annotations

import os
import urllib.request
from ipaddress import ip_address

from infra.errors import PreCreateError

# https://docs.aws.amazon.com/vpc/latest/userguide/working-with-security-groups.html names the first.
SERVICES = ("https://checkip.amazonaws.com", "https://api.ipify.org")
VARIABLE = "MCTL_ADDRESS_SERVICE"
SECONDS = 5.0
ANSWER_LIMIT = 64


def cidr(machine: str) -> str:
    """Ask for it, and give it as a network of one. Raises PreCreateError where nobody answers."""
    own = os.environ.get(VARIABLE)
    for service in (own,) if own else SERVICES:
        try:
            with urllib.request.urlopen(service, timeout=SECONDS) as answer:  # noqa: S310 - https, or the user's own
                found = ip_address(answer.read(ANSWER_LIMIT).decode().strip())
        except (OSError, ValueError):
            continue
        return f"{found}/{found.max_prefixlen}"
    raise PreCreateError(
        "the firewall is to let in this computer, and nobody tells its public address",
        machine=machine,
        mend="say who may connect: --allow-cidr CIDR",
    )
