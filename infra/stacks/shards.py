"""The stacks of a project, spread over jobs that run elsewhere, such as those of a CI's matrix."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from infra.stacks import project, records

MOST = 256  # jobs of one matrix: https://docs.github.com/en/actions/reference/limits


@dataclass
class Shard:
    """What one job gets. machines: how many its stacks declare."""

    stacks: list[str] = field(default_factory=list)
    machines: int = 0


def spread(folder: Path, jobs: int) -> list[Shard]:
    """Spread the stacks over at most so many jobs, each about as many machines; a stack is never split.

    The largest stack goes first, each to the job that has least: at most a third more than the best there is.
    Source: R. L. Graham, Bounds on Multiprocessing Timing Anomalies, 1969
    """
    sizes = {stack: len(project.providers(folder, stack)) for stack in project.stacks(folder)}
    shards = [Shard() for _ in range(min(jobs, len(sizes)))]
    for stack in sorted(sizes, key=lambda name: (-sizes[name], name)):
        least = min(shards, key=lambda shard: (shard.machines, len(shard.stacks)))
        least.stacks.append(stack)
        least.machines += sizes[stack]
    for shard in shards:
        shard.stacks = records.in_order(shard.stacks)
    return shards
