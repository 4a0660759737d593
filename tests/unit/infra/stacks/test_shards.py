"""How stacks are spread over jobs."""

from __future__ import annotations

import json
from pathlib import Path

from infra.stacks.shards import spread


def declare(folder: Path, **sizes: int) -> None:
    for stack, size in sizes.items():
        machines = {f"{stack}-{number}": {"provider": "none"} for number in range(size)}
        (folder / f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": {"mctl:machines": machines}}))


def test_each_job_gets_about_as_many_machines_and_no_stack_is_split(tmp_path: Path) -> None:
    declare(tmp_path, a=50, b=30, c=20, d=1, e=0)
    assert [(shard.stacks, shard.machines) for shard in spread(tmp_path, 2)] == [
        (["a", "d"], 51),
        (["b", "c", "e"], 50),
    ]


def test_there_are_no_more_jobs_than_stacks(tmp_path: Path) -> None:
    declare(tmp_path, a=1, b=2)
    assert [shard.stacks for shard in spread(tmp_path, 256)] == [["b"], ["a"]]
    assert spread(tmp_path / "nothing", 4) == []
