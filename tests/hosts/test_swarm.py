"""A Swarm of three managers and two workers on real hosts: what it takes to keep it whole, and its service up."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.container_daemon import docker
from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.shop import Shop, options, tiny_image
from tests.hosts.test_changes_in_place import PACKAGE, REPOSITORY

NAMES = ["web-1", "web-2", "web-3", "web-4", "web-5"]
SERVICE = """
services:
  app:
    image: tiny
    command: [/bin/sleep, "6000"]
    networks: [{name: own}]
    deploy: {replicas: 5, restart_policy: {delay: 0s}}
"""
ENTRY = """    {name}:
      provider: generic
      options: {{ip_address: {host.address}, ssh_key: {host.private_key}}}
      ssh_host_key: {host.host_key}
      engine: {{labels: [tier=front]}}
"""
REPLICAS = 5
COUNT = "docker ps -q --filter name=app_app | wc -l"


class Cluster(NamedTuple):
    shop: Shop
    hosts: dict[str, ContainerHost]
    spare: ContainerHost

    def status(self) -> dict[str, dict[str, Any]]:
        """Tell the nodes by the names of their machines."""
        ran = self.shop.mctl("swarm", "status", "web", "--json")
        assert ran.code == 0, ran.err
        return {node["machine"]: node for node in json.loads(ran.out)}

    def managers(self) -> list[str]:
        return sorted(name for name, node in self.status().items() if node["role"] == "manager")

    def running(self) -> int:
        """Count the service's tasks that run, asked of a manager that is up."""
        context = "web-2"
        try:
            told = self.shop.docker(
                *("--context", context, "service", "ps", "app_app", "--filter", "desired-state=running"),
                *("--format", "{{.CurrentState}}"),
            )
        except subprocess.CalledProcessError:  # the managers are choosing another leader
            return 0
        return sum(line.startswith("Running") for line in told.splitlines())

    def await_running(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while self.running() != REPLICAS:
            assert time.monotonic() < deadline, self.shop.docker("--context", "web-2", "service", "ps", "app_app")
            time.sleep(0.5)

    @contextmanager
    def always_running(self, least: int) -> Iterator[None]:
        """See meanwhile that so many tasks of the service run."""
        seen, ended = [], threading.Event()

        def look() -> None:
            while not ended.wait(0.5):
                on_each = [host.exec(COUNT, check=False) for host in self.hosts.values()]
                seen.append(sum(int(count or 0) for count in on_each))

        watch = threading.Thread(target=look)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()
        assert len(seen) > 3
        assert min(seen) >= least, seen


@pytest.fixture(scope="module")
def cluster(hosts: ContainerHosts, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Five machines in one stack, the first by `create --swarm`, the others by the stack's file and `up`; a service."""
    started = [hosts.start(docker_installed=True) for _ in range(len(NAMES) + 1)]
    shop, members = Shop(tmp_path_factory.mktemp("swarm")), dict(zip(NAMES, started, strict=False))
    label = ("--engine-label", "tier=front")
    ran = shop.mctl("create", "web-1", "--stack", "web", "--swarm", *label, *options(members["web-1"]))
    assert ran.code == 0, ran.err
    file = shop.home / "Pulumi.web.yaml"
    further = "".join(ENTRY.format(name=name, host=members[name]) for name in NAMES[1:])
    file.write_text(file.read_text().replace("  mctl:swarm:\n", f"{further}  mctl:swarm:\n"))
    ran = shop.mctl("up", "web")
    assert (ran.code, ran.out) == (0, "".join(f"{n} tcp://{members[n].address}:2376\n" for n in NAMES)), ran.err
    for host in started:
        docker(host.daemon, "exec", "-i", host.container, "docker", "import", "-", "tiny", stdin=tiny_image())
    made = Cluster(shop, members, started[-1])
    own = Path(shop.folder, "stack.yaml")
    own.write_text(f'version: "3.8"\n{SERVICE.replace("[{name: own}]", "[own]")}networks: {{own: {{}}}}\n')
    shop.docker("--context", "web", "stack", "deploy", "--compose-file", str(own), "app")
    made.await_running()
    yield made
    for host in started:
        hosts.remove(host)


def test_three_manage_it_and_what_it_makes_is_encrypted_labelled_and_secret(cluster: Cluster) -> None:
    shop = cluster.shop
    nodes = cluster.status()
    assert list(nodes) and sorted(nodes) == NAMES
    assert cluster.managers() == NAMES[:3]
    assert {node["state"] for node in nodes.values()} == {"ready"}
    one = ("--context", "web", "node", "inspect", nodes["web-5"]["id"], "--format", "{{json .Spec.Labels}}")
    assert json.loads(shop.docker(*one)) == {"mctl.labels": "tier", "mctl.machine": "web-5", "tier": "front"}
    assert "encrypted" in shop.docker("--context", "web", "network", "inspect", "ingress", "--format", "{{.Options}}")
    assert shop.mctl("preview", "web").out == "no changes\n"
    token = shop.mctl("swarm", "token", "web", "--role", "manager").out.strip()
    assert token.startswith("SWMTKN-1-")
    holding = [file for file in shop.home.rglob("*") if file.is_file() and token.encode() in file.read_bytes()]
    assert holding == []
    for host in cluster.hosts.values():
        assert host.exec(f"grep -rl {token} /var/log /etc/docker /tmp || true") == ""


def test_the_cluster_is_reached_by_its_name(cluster: Cluster) -> None:
    shop = cluster.shop
    assert f'DOCKER_HOST="tcp://{cluster.hosts["web-1"].address}:2376"' in shop.mctl("env", "--swarm", "web").out
    assert shop.mctl("swarm", "ls")[:2] == (
        0,
        "NAME   MANAGERS            WORKERS\nweb    web-1,web-2,web-3   web-4,web-5\n",
    )
    assert shop.mctl("env", "--swarm", "web-4")[:2] == (1, "")
    assert shop.contexts() == ["web", *NAMES]


def test_new_tokens_let_join_and_the_old_ones_no_more(cluster: Cluster) -> None:
    shop = cluster.shop
    before = shop.mctl("swarm", "token", "web").out.strip()
    with cluster.always_running(REPLICAS):
        assert shop.mctl("swarm", "rotate", "web")[:2] == (0, "The tokens of Swarm web are new\n")
    after = shop.mctl("swarm", "token", "web").out.strip()
    assert after != before
    assert sorted(cluster.status()) == NAMES
    assert shop.mctl("preview", "web").out == "no changes\n"
    join = f"docker swarm join --token {before} {cluster.hosts['web-1'].address}:2377"
    assert "token" in cluster.spare.exec(f"{join} 2>&1 || true")


def test_the_service_outlives_an_upgrade_of_all_nodes(cluster: Cluster) -> None:
    shop, hosts = cluster.shop, cluster.hosts
    version = shop.inspect("web-1")["engine_version"]
    newer = version.replace("20.10.2", "20.10.9")
    maker = hosts["web-1"]
    maker.exec(REPOSITORY)
    maker.exec(PACKAGE.format(version=newer, change=f"sed -i 's/{version}/{newer}/g' root/usr/sbin/dockerd"))
    maker.exec("tar -C / -cf /srv/repo.tar srv/repo etc/apt/sources.list.d/own.list")
    docker(maker.daemon, "cp", f"{maker.container}:/srv/repo.tar", str(shop.folder))
    for name in NAMES[1:]:
        docker(maker.daemon, "cp", "-", f"{hosts[name].container}:/", stdin=(shop.folder / "repo.tar").read_bytes())
    with cluster.always_running(REPLICAS - 2):
        ran = shop.mctl("upgrade", *NAMES)
    assert (ran.code, ran.out) == (0, "".join(f"Docker {version} -> {newer} on {name}\n" for name in NAMES)), ran.err
    nodes = cluster.status()
    assert {node["engine"] for node in nodes.values()} == {newer}
    assert {node["availability"] for node in nodes.values()} == {"active"}
    cluster.await_running()
    again = shop.mctl("upgrade", "web-5")
    assert (again.code, again.out) == (0, f'Machine "web-5" has Docker {newer} already, the newest.\n'), again.err
    assert "moving what runs on" not in again.err


def test_the_service_outlives_the_loss_of_the_leading_manager_and_another_takes_its_place(cluster: Cluster) -> None:
    shop, lost = cluster.shop, cluster.hosts["web-1"]
    docker(lost.daemon, "kill", lost.container)
    cluster.await_running()
    assert f'DOCKER_HOST="tcp://{cluster.hosts["web-2"].address}:2376"' in shop.mctl("env", "--swarm", "web").out
    ran = shop.mctl("rm", "-y", "web-1")
    assert (ran.code, ran.out) == (0, "Successfully removed web-1\n"), ran.err
    assert cluster.managers() == ["web-2", "web-3", "web-4"]
    ran = shop.mctl("create", "web-6", "--stack", "web", *options(cluster.spare))
    assert ran.code == 0, ran.err
    assert sorted(cluster.status()) == ["web-2", "web-3", "web-4", "web-5", "web-6"]
    assert shop.docker("--context", "web", "node", "ls", "--quiet").count("\n") == 4
    assert shop.mctl("preview", "web").out == "no changes\n"
    cluster.await_running()


def test_what_would_lose_the_quorum_is_refused_and_removes_nothing(cluster: Cluster) -> None:
    shop, down = cluster.shop, cluster.hosts["web-4"]
    down.exec("systemctl stop docker.socket docker")
    deadline = time.monotonic() + 60
    while cluster.status()["web-4"]["reachability"] != "unreachable":
        assert time.monotonic() < deadline
        time.sleep(0.5)
    assert shop.mctl("rm", "-y", "web-2") == (
        1,
        "",
        'Error: without machine "web-2" the managers of the Swarm lose their quorum\n'
        "  hint: start the managers that are down, or remove those first; or all the same: mctl rm -f web-2\n",
    )
    assert cluster.managers() == ["web-2", "web-3", "web-4"]
    down.exec("systemctl start docker")


def test_a_manager_that_its_restart_locks_is_opened_by_an_up(cluster: Cluster) -> None:
    shop, host = cluster.shop, cluster.hosts["web-3"]
    file = shop.home / "Pulumi.web.yaml"
    file.write_text(file.read_text().replace("    managers: 3\n", "    managers: 3\n    autolock: true\n"))
    assert shop.mctl("up", "web").code == 0
    key = shop.mctl("swarm", "unlock-key", "web").out.strip()
    assert key.startswith("SWMKEY-1-")
    state = "docker info --format '{{.Swarm.LocalNodeState}}'"
    host.exec("systemctl restart docker")
    assert host.exec(state) == "locked"
    assert shop.mctl("up", "web").code == 0
    assert host.exec(state) == "active"


def test_where_most_managers_are_lost_the_one_that_is_left_goes_on_and_gets_others(cluster: Cluster) -> None:
    shop, lost = cluster.shop, ["web-3", "web-4"]
    file = shop.home / "Pulumi.web.yaml"
    file.write_text(
        file.read_text().replace("    autolock: true\n", "")
    )  # which Docker lets no manager go on alone with
    assert shop.mctl("up", "web").code == 0
    for name in lost:
        docker(cluster.hosts[name].daemon, "kill", cluster.hosts[name].container)
    deadline = time.monotonic() + 60
    while shop.mctl("swarm", "status", "web").code == 0:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    refused = shop.mctl("rm", "-y", *lost)
    assert (refused.code, refused.out) == (1, "")
    assert 'Error: machine "web-3" can\'t leave the Swarm: it tells no nodes of the Swarm: ' in refused.err
    forced = shop.mctl("rm", "-f", *lost)
    assert (forced.code, forced.out) == (0, "Successfully removed web-3\nSuccessfully removed web-4\n"), forced.err
    assert "(web-2) going on with web-2 as the Swarm's one manager\n" in forced.err
    ran = shop.mctl("up", "web")
    assert ran.code == 0, ran.err
    assert cluster.managers() == sorted(cluster.status()) == ["web-2", "web-5", "web-6"]
    assert shop.mctl("preview", "web").out == "no changes\n"
    cluster.await_running()


def test_the_whole_cluster_goes_without_a_trace(cluster: Cluster) -> None:
    left = ["web-2", "web-5", "web-6"]
    ran = cluster.shop.mctl("rm", "-y", *left)
    assert (ran.code, ran.out) == (0, "".join(f"Successfully removed {name}\n" for name in left)), ran.err
    assert cluster.shop.left() == []
