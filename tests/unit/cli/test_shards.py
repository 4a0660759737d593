"""What shards prints: the whole output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli_runner import as_process


@pytest.mark.usefixtures("mctl_home")
def test_it_prints_a_table_or_the_matrix_of_a_ci() -> None:
    Path("Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    for stack, machines in {"web": ["a", "b"], "db": ["c"], "cache": ["d"]}.items():
        declared = {name: {"provider": "none"} for name in machines}
        Path(f"Pulumi.{stack}.yaml").write_text(json.dumps({"config": {"mctl:machines": declared}}))
    assert as_process("shards", "--jobs", "2") == (
        0,
        "JOB   MACHINES   STACKS\n1     2          web\n2     2          cache db\n",
        "",
    )
    matrix = as_process("shards", "--jobs=2", "--json")
    assert (matrix.code, matrix.err) == (0, "")
    assert json.loads(matrix.out) == {
        "include": [{"job": 1, "stacks": "web", "machines": 2}, {"job": 2, "stacks": "cache db", "machines": 2}]
    }
