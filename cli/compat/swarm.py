"""docker-machine's flags for classic Swarm, which Docker has no more: a master becomes a manager of Swarm mode."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from cli.compat.flags import Flag, switch
from cli.compat.words import PlainError
from cli.output import say
from infra.stacks import swarm_mode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cli.compat.flags import Value
    from infra.stacks.records import Record

FLAGS = (
    switch("swarm", text="Join a Swarm"),
    switch("swarm-master", text="Begin a Swarm, with this machine as its manager"),
    Flag("swarm-addr", text="Address to advertise (default: the machine's)"),
    # Classic Swarm's alone.
    Flag("swarm-discovery"),
    switch("swarm-experimental"),
    Flag("swarm-host", "tcp://0.0.0.0:3376"),
    Flag("swarm-image", "swarm:latest", "MACHINE_SWARM_IMAGE"),
    Flag("swarm-join-opt", ()),
    Flag("swarm-opt", ()),
    Flag("swarm-strategy", "spread"),
)
TAKEN = ("swarm", "swarm-master", "swarm-addr")


def check(values: dict[str, Value]) -> None:
    """Refuse a discovery URL that is none, and say once what is passed over. Raises PlainError."""
    discovery = str(values.get("swarm-discovery", ""))
    if discovery and not re.match(r"[^:]*://", discovery):
        raise PlainError(f"Error parsing swarm discovery: Swarm Discovery URL was in the wrong format: {discovery}")
    idle = [f"--{flag.name}" for flag in FLAGS if flag.name in values and flag.name not in TAKEN]
    if any(flag.name in values for flag in FLAGS):
        passed_over = f"; passed over: {', '.join(idle)}" if idle else ""
        say("Notice", f"classic Swarm is gone, and Swarm mode stands in for it{passed_over}", None)


def join(record: Record, values: dict[str, Value]) -> None:
    """Make a machine the manager of a new Swarm, or say how it joins one. Raises HostError."""
    if values.get("swarm-master"):
        asked = str(values.get("swarm-addr", ""))
        address = urlsplit(asked if "://" in asked else f"//{asked}").hostname or record.private_address
        swarm_mode.begin(record, address or record.address)
    elif values.get("swarm"):
        join_command = f"docker-machine ssh {record.name} sudo docker swarm join --token TOKEN MANAGER:2377"
        say(
            "Notice",
            f"{record.name} has joined no Swarm: its token is a secret that only the manager gives",
            f"docker-machine ssh MANAGER sudo docker swarm join-token worker, then {join_command}",
        )
