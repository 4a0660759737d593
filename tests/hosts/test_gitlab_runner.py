"""docker-machine's callers with mctl in its place: GitLab Runner's docker+machine executor, call by call.

What it runs is in helpers/docker/machine_command.go and executors/docker/machine of gitlab-org/gitlab-runner.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.stacks import downloads
from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.shop import Shop

NAMES = ("runner-1-machine-a", "runner-1-machine-b")


class MachineCommand:
    """The executor's way of calling docker-machine: by name on PATH, and a look into its store."""

    def __init__(self, shop: Shop, programs: Path) -> None:
        self.store = shop.folder / ".docker" / "machine" / "machines"
        self._environment = shop.with_programs()
        self._environment["PATH"] = f"{programs}:{self._environment['PATH']}"

    def run(self, *arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["docker-machine", "--bugsnag-api-token=no-report", *arguments],
            env=self._environment | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def create(self, driver: str, name: str, options: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return self.run("create", "--driver", driver, *(f"--{option}" for option in options), name)

    def list(self) -> list[str]:
        return sorted(entry.name for entry in self.store.iterdir() if entry.is_dir() and not entry.name.startswith("."))

    def exists(self, name: str) -> bool:
        return (self.store / name / "config.json").is_file() and self.run("inspect", name).returncode == 0

    def can_connect(self, name: str) -> bool:
        return self.run("config", name).returncode == 0

    def get(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.stdout.strip(), done.stderr
        return done.stdout.strip()

    def credentials(self, name: str) -> dict[str, str]:
        assert self.can_connect(name)
        certificates = self.get("inspect", name, "-f", "{{.HostOptions.AuthOptions.StorePath}}")
        return {"DOCKER_TLS_VERIFY": "1", "DOCKER_HOST": self.get("url", name), "DOCKER_CERT_PATH": certificates}


@pytest.fixture(scope="module")
def pair(hosts: ContainerHosts) -> Iterator[tuple[ContainerHost, ContainerHost]]:
    made = hosts.start(docker_installed=True), hosts.start(docker_installed=True)
    yield made
    for host in made:
        hosts.remove(host)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> MachineCommand:
    """docker-machine in a home of its own, as `mctl compat install` leaves it."""
    shop = Shop(tmp_path_factory.mktemp("runner"))
    del shop.variables["MCTL_HOME"]
    # The Pulumi engine that setup found or built is kept below the real home.
    shop.variables |= {"MCTL_CACHE_DIR": str(downloads.cache()), "HOME": str(shop.folder)}
    programs = shop.folder / "bin"
    assert shop.mctl("compat", "install", "--dir", str(programs)).code == 0
    return MachineCommand(shop, programs)


def options(host: ContainerHost) -> list[str]:
    """Give the MachineOptions of a config.toml."""
    return [
        *(f"generic-ip-address={host.address}", f"generic-ssh-key={host.private_key}"),
        *("ssh-host-key=accept-new", "engine-label=tier=ci", "engine-install-url=https://get.docker.com"),
    ]


@pytest.fixture(scope="module")
def made(machine: MachineCommand, pair: tuple[ContainerHost, ContainerHost]) -> dict[str, str]:
    """Create both at the same time; give what each create said."""
    with ThreadPoolExecutor() as pool:
        runs = list(
            pool.map(lambda at: machine.create("generic", at[0], options(at[1])), zip(NAMES, pair, strict=True))
        )
    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 2, [run.stdout for run in runs]
    return dict(zip(NAMES, (run.stdout for run in runs), strict=True))


def test_create_tells_its_progress_as_docker_machine_does(made: Mapping[str, str]) -> None:
    for name, said in made.items():
        lines = said.splitlines()
        assert lines[:2] == ["Running pre-create checks...", "Creating machine..."]
        assert "Setting Docker configuration on the remote daemon..." in lines
        assert lines[-3:] == [
            "Checking connection to Docker...",
            "Docker is up and running!",
            "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: "
            f"docker-machine env {name}",
        ]


def test_the_store_lists_the_machines_and_each_exists(machine: MachineCommand, made: Mapping[str, str]) -> None:
    assert machine.list() == sorted(made)
    for name in made:
        config = json.loads((machine.store / name / "config.json").read_text())
        assert (config["ConfigVersion"], config["DriverName"], config["Name"]) == (3, "generic", name)
        assert machine.exists(name)
        assert json.loads(machine.run("inspect", name).stdout) == config
    assert not machine.exists("runner-1-machine-z")


def test_docker_connects_by_what_url_and_inspect_say(
    machine: MachineCommand, made: Mapping[str, str], pair: tuple[ContainerHost, ContainerHost]
) -> None:
    for name, host in zip(NAMES, pair, strict=True):
        credentials = machine.credentials(name)
        assert credentials["DOCKER_HOST"] == f"tcp://{host.address}:2376"
        assert machine.get("ip", name) == host.address
        command = ["docker", "info", "--format", "{{json .Labels}}"]
        asked = subprocess.run(
            command, env=machine._environment | credentials, capture_output=True, text=True, check=False
        )
        assert sorted(json.loads(asked.stdout)) == ["provider=generic", "tier=ci"], asked.stderr


def test_ls_and_status_tell_the_states(machine: MachineCommand, made: Mapping[str, str]) -> None:
    assert machine.run("ls", "-q").stdout.split() == list(NAMES)
    listed = machine.run("ls", "--format", "{{.Name}}\t{{.State}}").stdout
    assert listed == "".join(f"{name}\tRunning\n" for name in NAMES)
    for name in NAMES:
        assert machine.run("status", name).stdout == "Running\n"


def test_a_taken_name_is_refused(
    machine: MachineCommand, made: Mapping[str, str], pair: tuple[ContainerHost, ContainerHost]
) -> None:
    again = machine.create("generic", NAMES[0], options(pair[0]))
    assert (again.returncode, again.stderr) == (1, f'Docker machine "{NAMES[0]}" already exists\n')


def test_a_generic_host_is_not_switched_off(machine: MachineCommand, made: Mapping[str, str]) -> None:
    stopped = machine.run("stop", NAMES[0])
    assert (stopped.returncode, stopped.stdout, stopped.stderr) == (
        1,
        f'Stopping "{NAMES[0]}"...\n',
        "generic driver does not support stop\n",
    )


def test_provision_sets_up_again(machine: MachineCommand, made: Mapping[str, str]) -> None:
    assert machine.run("provision", NAMES[0]).returncode == 0
    assert machine.can_connect(NAMES[0])


def test_ssh_gives_the_exit_code_of_the_command(machine: MachineCommand, made: Mapping[str, str]) -> None:
    done = machine.run("ssh", NAMES[0], "echo", "here;", "exit", "7")
    assert (done.returncode, done.stdout) == (7, "here\n")


def test_a_create_that_failed_can_be_provisioned_to_its_end_or_removed(
    machine: MachineCommand, bare_host: ContainerHost
) -> None:
    bare_host.exec("mv /etc/apt/sources.list /var/cache/apt/archives/docker.io_*.deb /srv; apt-get clean")
    failed = machine.create("generic", "late", options(bare_host))
    assert failed.returncode == 1
    assert "Error creating machine: docker.io can't be installed on " in failed.stderr
    assert machine.exists("late")
    assert not machine.can_connect("late")
    bare_host.exec("mv /srv/sources.list /etc/apt/; mv /srv/*.deb /var/cache/apt/archives/")
    assert machine.run("provision", "late").returncode == 0
    assert machine.can_connect("late")
    assert machine.run("rm", "-y", "late").returncode == 0
    assert not machine.exists("late")


def test_both_are_removed_at_the_same_time(machine: MachineCommand, made: Mapping[str, str]) -> None:
    with ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda at: machine.run("rm", at[1], at[0]), zip(NAMES, ("-y", "-f"), strict=True)))
    for name, run in zip(NAMES, runs, strict=True):
        assert (run.returncode, run.stderr) == (0, "")
        assert run.stdout == (
            f"About to remove {name}\nWARNING: This action will delete both local reference and remote instance.\n"
            f"Successfully removed {name}\n"
        )
    assert machine.list() == []
    assert machine.run("rm", "-f", NAMES[0]).returncode == 0


def test_machines_of_one_classic_swarm_are_nodes_of_one_of_swarm_mode(
    machine: MachineCommand, pair: tuple[ContainerHost, ContainerHost]
) -> None:
    swarm = ["swarm", "swarm-discovery=token://abc"]
    made = machine.create("generic", "boss", [*options(pair[0]), *swarm, "swarm-master", "swarm-strategy=spread"])
    assert (made.returncode, made.stderr) == (
        0,
        "Notice: classic Swarm is gone, and Swarm mode stands in for it; passed over: --swarm-strategy\n",
    )
    joining = machine.create("generic", "worker", [*options(pair[1]), *swarm])
    assert joining.returncode == 0, joining.stderr
    state = "docker info --format '{{.Swarm.LocalNodeState}} {{.Swarm.ControlAvailable}} {{.Swarm.Nodes}}'"
    assert [host.exec(state).strip() for host in pair] == ["active true 2", "active false 0"]
    assert machine.run("rm", "-f", "boss", "worker").returncode == 0
