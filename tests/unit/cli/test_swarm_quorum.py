"""Machines that leave a Swarm, one by one or by the number: its managers must stay more than half, unless forced."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.errors import HostError
from infra.machine import SwarmSpec
from infra.stacks import fleets, machines, project, records, swarm_nodes
from infra.stacks.records import Record
from infra.stacks.states import State
from tests.cli_runner import in_process
from tests.stack_outputs import outputs
from tests.unit.cli import test_fleet
from tests.unit.cli.test_fleet import folder

__all__ = ["folder"]
MANAGERS = ["web-1", "web-2", "web-3"]
LOSS = "start the managers that are down, or remove those first; or all the same: "


class Stack(test_fleet.Stack):
    """A stack whose first three machines manage its Swarm."""

    def machines(self) -> list[dict[str, Any]]:
        made = [facts["name"] for facts in super().machines()]
        roles = {name: "manager" if name in MANAGERS else "worker" for name in made}
        return [outputs(name, provider="digitalocean", swarm=roles[name]) for name in made]

    made_so_far = machines


class Cluster:
    """What the nodes of a Swarm of five are asked, by machine. down: those that do not answer."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.asked: list[tuple[str, str, str]] = []

    def probe_all(self, asked: Sequence[Record], _timeout: float) -> list[State]:
        return [State("Running", "" if record.name in self.down else "27.3.1", "", 1) for record in asked]

    def run(self, record: Record, does: str, _report: object, *, of: str = "") -> str:
        if does != "list":
            self.asked.append((record.name, does, of))
            return ""
        if len(self.down & set(MANAGERS)) > 1:
            raise HostError("it tells no nodes of the Swarm: no leader", machine=record.name, mend="start them")
        return "".join(f"{json.dumps(self._node(name))}\n" for name in records.names())

    def _node(self, name: str) -> dict[str, Any]:
        reach = {"Reachability": "unreachable" if name in self.down else "reachable"}
        return {
            "ID": f"{name}-id",
            "Spec": {
                "Labels": {"mctl.machine": name},
                "Role": "manager" if name in MANAGERS else "worker",
                "Availability": "active",
            },
            "Status": {"State": "ready"},
            "ManagerStatus": reach if name in MANAGERS else None,
            "Description": {"Hostname": name, "Engine": {"EngineVersion": "27.3.1"}},
        }


@pytest.fixture
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """Five machines by the number form a Swarm."""
    for module in (machines, fleets):
        monkeypatch.setattr(module, "Stack", Stack)
    made = Cluster()
    monkeypatch.setattr(swarm_nodes, "probe_all", made.probe_all)
    monkeypatch.setattr(swarm_nodes, "_run", made.run)
    ran = in_process("create", "web", "--provider", "digitalocean", "--count", "5", "--swarm")
    assert (ran.code, project.swarm(folder, "web")) == (0, SwarmSpec())
    return made


def test_machines_leave_the_swarm_before_a_smaller_number_is_declared(cluster: Cluster) -> None:
    ran = in_process("scale", "-y", "web", "3")
    assert (ran.code, ran.out) == (0, "web has 3 machines\n")
    assert cluster.asked == [("web-1", "retire", "web-4 web-5")]
    assert records.names() == MANAGERS


def test_scaling_up_asks_no_node(cluster: Cluster) -> None:
    assert in_process("scale", "web", "6").code == 0
    assert cluster.asked == []


def test_a_number_that_would_lose_the_quorum_is_refused_and_declares_nothing(cluster: Cluster, folder: Path) -> None:
    cluster.down = {"web-2"}
    before = (folder / "Pulumi.web.yaml").read_text()
    said = 'Error: without machines "web-3", "web-4", "web-5" the managers of the Swarm lose their quorum\n'
    assert in_process("scale", "-y", "web", "2") == (1, "", f"{said}  hint: {LOSS}mctl scale -f web 2\n")
    assert (cluster.asked, (folder / "Pulumi.web.yaml").read_text()) == ([], before)


def test_managers_that_are_down_may_go_with_others_as_long_as_more_than_half_are_left(cluster: Cluster) -> None:
    cluster.down = {"web-2"}
    assert in_process("scale", "-y", "web", "1").code == 0
    assert cluster.asked == [("web-1", "retire", "web-2 web-3 web-4 web-5")]


def test_a_number_that_loses_the_quorum_can_be_forced_and_one_manager_goes_on(cluster: Cluster) -> None:
    cluster.down = {"web-2"}
    ran = in_process("scale", "-f", "web", "2")
    assert (ran.code, ran.out) == (0, "web has 2 machines\n")
    assert cluster.asked == [("web-1", "alone", ""), ("web-1", "retire", "web-3 web-4 web-5")]
    assert records.names() == ["web-1", "web-2"]


def test_a_swarm_that_has_lost_its_quorum_lets_machines_go_where_that_is_forced(cluster: Cluster) -> None:
    cluster.down = {"web-2", "web-3"}
    said = 'Error: machine "web-3" can\'t leave the Swarm: it tells no nodes of the Swarm: no leader\n'
    assert in_process("rm", "-y", "web-3") == (
        1,
        "",
        f"{said}  hint: start them; or without its agreement: mctl rm -f web-3\n",
    )
    said = "the others of the Swarm stay as they are until: mctl up web\n"
    assert in_process("rm", "-f", "web-3") == (0, "Successfully removed web-3\n", said)
    assert cluster.asked == [("web-1", "alone", ""), ("web-1", "retire", "web-3")]
    assert records.names() == ["web-1", "web-2", "web-4", "web-5"]


def test_a_manager_that_needs_a_key_is_not_made_to_go_on_alone(cluster: Cluster, folder: Path) -> None:
    project.declare_swarm(folder, "web", SwarmSpec(autolock=True))
    cluster.down = {"web-2", "web-3"}
    ran = in_process("rm", "-f", "web-3")
    assert (ran.code, ran.out) == (0, "Successfully removed web-3\n")
    assert 'with autolock no manager can go on alone, and machine "web-1" waits for the others: mctl start ' in ran.err
    assert (cluster.asked, records.names()) == ([], ["web-1", "web-2", "web-4", "web-5"])


def test_a_machine_goes_where_that_is_forced_and_no_manager_is_left_to_be_told(cluster: Cluster) -> None:
    cluster.down = set(MANAGERS)
    ran = in_process("rm", "-f", "web-1")
    assert (ran.code, ran.out) == (0, "Successfully removed web-1\n")
    assert "no manager of the Swarm of stack web answers: web-2, web-3: mctl start web-2 web-3\n" in ran.err
    assert (cluster.asked, records.names()) == ([], ["web-2", "web-3", "web-4", "web-5"])


def test_all_machines_of_a_swarm_go_without_ceremony(cluster: Cluster) -> None:
    cluster.down = set(MANAGERS)
    assert in_process("scale", "-y", "web", "0").code == 0
    assert (cluster.asked, records.names()) == ([], [])
