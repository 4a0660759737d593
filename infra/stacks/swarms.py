"""The Swarms that stacks declare, by name: what is known of them, their tokens and their unlock key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from infra.errors import NotFoundError
from infra.machine import SwarmSpec
from infra.stacks import machines, project, swarm_nodes
from infra.stacks.progress import Report
from infra.stacks.records import Record
from infra.stacks.store import Stack
from infra.stacks.swarm_nodes import Node


class Cluster(NamedTuple):
    """One stack's Swarm as declared and recorded."""

    folder: Path
    stack: str
    spec: SwarmSpec
    members: list[Record]


def every() -> list[Cluster]:
    """List the Swarms of the project."""
    folder = project.find_project()
    return [found for stack in project.stacks(folder) if (found := _cluster(folder, stack))]


def find(name: str | None) -> Cluster:
    """Find the Swarm of a stack, or of a machine in it; no name means the only one. Raises NotFoundError."""
    if name is None:
        found = every()
        if len(found) == 1:
            return found[0]
        mend = "mctl swarm ls" if found else "mctl create NAME --swarm"
        raise NotFoundError("several stacks form a Swarm" if found else "no stack forms a Swarm", mend=mend)
    folder, stack = machines.locate(name)
    cluster = _cluster(folder, stack)
    if cluster is None:
        raise NotFoundError(f"the machines of stack {stack} form no Swarm", mend="mctl swarm ls")
    return cluster


def status(cluster: Cluster, report: Report) -> list[Node]:
    """Ask a manager for all nodes. Raises HostError."""
    return swarm_nodes.nodes(swarm_nodes.manager_of(cluster.stack, cluster.members), report)


def tokens(cluster: Cluster, report: Report) -> Mapping[str, str]:
    """Ask a manager for the tokens that further nodes join with, by role. Raises HostError."""
    return swarm_nodes.tokens(swarm_nodes.manager_of(cluster.stack, cluster.members), report)


def rotate(cluster: Cluster, report: Report) -> None:
    """Make the tokens anew, and the unlock key where there is one; nodes that are members stay so. Raises HostError."""
    opened = Stack(cluster.folder, cluster.stack, report)
    swarm_nodes.tokens(swarm_nodes.manager_of(cluster.stack, cluster.members), report, rotate=True)
    opened.up(mend=f"mctl swarm rotate {cluster.stack}", renew=[f"{cluster.stack}-swarm-lead"])
    machines.keep_records(opened, report)


def unlock_key(cluster: Cluster, report: Report) -> str:
    """Read from the stack state what opens a manager after its restart. Raises NotFoundError where none is needed."""
    key = Stack(cluster.folder, cluster.stack, report, read=True).swarm().get("unlock_key", "")
    if not key:
        raise NotFoundError(
            f"the Swarm of stack {cluster.stack} is not locked by a restart",
            mend=f"set autolock under mctl:swarm in Pulumi.{cluster.stack}.yaml, then run mctl up {cluster.stack}",
        )
    return key


def _cluster(folder: Path, stack: str) -> Cluster | None:
    spec = project.swarm(folder, stack)
    return Cluster(folder, stack, spec, swarm_nodes.members(folder, stack)) if spec else None
