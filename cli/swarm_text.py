"""What `mctl swarm` prints: a value for JSON, and the same as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cli.output import table
from infra.machine import MANAGER
from infra.stacks import swarms

if TYPE_CHECKING:
    from infra.stacks.progress import Report
    from infra.stacks.swarm_nodes import Node
    from infra.stacks.swarms import Cluster

Answer = tuple[Any, str]


def answer(action: str, name: str | None, role: str, report: Report) -> Answer:
    """Do what is asked of a Swarm. Raises NotFoundError, HostError, StackError."""
    if action == "ls":
        return _listing(swarms.every())
    cluster = swarms.find(name)
    if action == "status":
        return _status(swarms.status(cluster, report))
    if action == "token":
        token = swarms.tokens(cluster, report)[role]
        return {"role": role, "token": token}, f"{token}\n"
    if action == "unlock-key":
        key = swarms.unlock_key(cluster, report)
        return {"unlock_key": key}, f"{key}\n"
    swarms.rotate(cluster, report)
    return {"name": cluster.stack}, f"The tokens of Swarm {cluster.stack} are new\n"


def _listing(clusters: list[Cluster]) -> Answer:
    facts: list[dict[str, Any]] = [
        {
            "name": cluster.stack,
            "managers": [record.name for record in cluster.members if record.swarm == MANAGER],
            "workers": [record.name for record in cluster.members if record.swarm != MANAGER],
            "autolock": cluster.spec.autolock,
        }
        for cluster in clusters
    ]
    rows = [[each["name"], *(",".join(each[key]) or "-" for key in ("managers", "workers"))] for each in facts]
    return facts, table([["NAME", "MANAGERS", "WORKERS"], *rows])


def _status(nodes: list[Node]) -> Answer:
    rows = [
        [
            node.machine or node.host,
            "leader" if node.leader else node.role,
            node.state,
            node.availability,
            node.reachability or "-",
            node.engine,
        ]
        for node in nodes
    ]
    header = ["NAME", "ROLE", "STATE", "AVAILABILITY", "REACHABILITY", "DOCKER"]
    return [node._asdict() for node in nodes], table([header, *sorted(rows)])
