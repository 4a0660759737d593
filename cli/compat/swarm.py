"""docker-machine's flags for classic Swarm, which Docker has no more: its machines form one of Swarm mode."""

from __future__ import annotations

import re
from hashlib import sha256

from cli.compat.flags import Flag, switch
from cli.compat.words import PlainError
from cli.output import say
from infra.machine import SwarmSpec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cli.compat.flags import Value

FLAGS = (
    switch("swarm", text="Join a Swarm"),
    switch("swarm-master", text="Begin a Swarm"),
    Flag("swarm-discovery", text="Which Swarm it is: machines of one URL form one"),
    # Classic Swarm's alone.
    Flag("swarm-addr"),
    switch("swarm-experimental"),
    Flag("swarm-host", "tcp://0.0.0.0:3376"),
    Flag("swarm-image", "swarm:latest", "MACHINE_SWARM_IMAGE"),
    Flag("swarm-join-opt", ()),
    Flag("swarm-opt", ()),
    Flag("swarm-strategy", "spread"),
)
TAKEN = ("swarm", "swarm-master", "swarm-discovery")


def check(values: dict[str, Value]) -> None:
    """Refuse a discovery URL that is none, and say once what is passed over. Raises PlainError."""
    discovery = str(values.get("swarm-discovery", ""))
    if discovery and not re.match(r"[^:]*://", discovery):
        raise PlainError(f"Error parsing swarm discovery: Swarm Discovery URL was in the wrong format: {discovery}")
    idle = [f"--{flag.name}" for flag in FLAGS if flag.name in values and flag.name not in TAKEN]
    if any(flag.name in values for flag in FLAGS):
        passed_over = f"; passed over: {', '.join(idle)}" if idle else ""
        say("Notice", f"classic Swarm is gone, and Swarm mode stands in for it{passed_over}", None)


def stack_of(name: str, values: dict[str, Value]) -> tuple[str, SwarmSpec | None]:
    """Give a machine's stack, and what its machines form: those of one discovery URL are one stack and one Swarm."""
    if not (values.get("swarm") or values.get("swarm-master")):
        return name, None
    discovery = str(values.get("swarm-discovery", ""))
    if not discovery and not values.get("swarm-master"):
        mend = "give the --swarm-discovery that its master was created with"
        say("Notice", f"{name} forms a Swarm of its own, for no --swarm-discovery tells which one it is to join", mend)
    return (f"swarm-{sha256(discovery.encode()).hexdigest()[:10]}" if discovery else name), SwarmSpec()
