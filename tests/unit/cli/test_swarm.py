"""mctl swarm and env --swarm, where no node need be asked."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from infra.machine import SwarmSpec
from infra.stacks import project, records
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs


@pytest.fixture
def cluster(mctl_home: Path) -> Iterator[Path]:
    """Records of a Swarm whose one manager is down."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    folder = project.find_project()
    declared = "".join(f"    {name}: {{provider: generic}}\n" for name in ("db-1", "db-2"))
    (folder / "Pulumi.db.yaml").write_text(f"config:\n  mctl:machines:\n{declared}")
    project.declare_swarm(folder, "db", SwarmSpec(autolock=True))
    for name, role in (("db-1", "manager"), ("db-2", "worker")):
        facts = {"address": "127.0.0.1", "ssh_port": port, "docker_url": f"tcp://127.0.0.1:{port}", "swarm": role}
        records.save(outputs(name, **facts), stack="db", project=str(folder))
    yield folder


def test_no_swarm_is_an_empty_list_and_nothing_to_look_at(mctl: Run) -> None:
    assert mctl("swarm", "ls") == Ran(0, "NAME   MANAGERS   WORKERS\n", "")
    assert mctl("swarm", "ls", "--json") == Ran(0, "[]\n", "")
    assert mctl("swarm", "status") == Ran(4, "", "Error: no stack forms a Swarm\n  hint: mctl create NAME --swarm\n")


@pytest.mark.usefixtures("cluster")
def test_swarms_are_listed_with_their_machines(mctl: Run) -> None:
    assert mctl("swarm", "ls") == Ran(0, "NAME   MANAGERS   WORKERS\ndb     db-1       db-2\n", "")


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("arguments", [("swarm", "status", "db"), ("swarm", "token"), ("env", "--swarm", "db")])
def test_a_swarm_without_a_manager_that_answers_is_told(mctl: Run, arguments: tuple[str, ...]) -> None:
    assert mctl(*arguments) == Ran(
        1, "", "Error: no manager of the Swarm of stack db answers: db-1\n  hint: mctl start db-1\n"
    )


@pytest.mark.usefixtures("cluster")
def test_the_swarm_is_a_column_and_a_filter(mctl: Run) -> None:
    assert mctl("ls", "-q", "--filter", "swarm=db").out == "db-1\ndb-2\n"
    assert mctl("ls", "--format", "{{.Name}} {{.Swarm}}").out == "db-1 db (master)\ndb-2 db\n"
