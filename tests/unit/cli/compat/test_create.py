"""create in docker-machine's words, with the Pulumi engine left out: what is declared, and what is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli import output
from cli.compat import entry
from infra.errors import Interrupted, MctlError, StackError
from infra.machine import EngineSpec, MachineSpec, SwarmSpec
from infra.stacks import home, machines, records, states
from infra.stacks.progress import Progress, Report
from tests.cli_runner import Ran
from tests.stack_outputs import outputs

STEPS = (
    Progress("", "Building the Pulumi engine"),
    Progress("web-1", "Making keys and certificates"),
    Progress("web-1", "installing docker.io"),
    Progress("web-1", "writing the engine's settings and certificates"),
    Progress("web-1", "installing docker.io again"),
    Progress("web-1", "no docker context", notice=True),
)
SAID = (
    "Running pre-create checks...\n"
    "Creating machine...\n"
    "Building the Pulumi engine\n"
    "(web-1) Making keys and certificates\n"
    "Installing Docker...\n"
    "Setting Docker configuration on the remote daemon...\n"
    "(web-1) no docker context\n"
)
LINE = ("create", "-d", "generic", "--generic-ip-address", "192.0.2.7", "web-1")


class Making:
    """What a create would make: it takes the spec, tells its steps, and fails where it is to."""

    def __init__(self) -> None:
        self.specs: list[MachineSpec] = []
        self.swarms: list[tuple[str, SwarmSpec | None]] = []
        self.error: MctlError | None = None
        self.version = "27.3.1"

    def create(self, spec: MachineSpec, stack: str, report: Report, swarm: SwarmSpec | None = None) -> machines.Made:
        self.specs.append(spec)
        self.swarms.append((stack, swarm))
        for step in STEPS:
            report(step)
        if self.error:
            raise self.error
        return machines.Made(records.save(outputs(spec.name), stack=stack, project="/project"), {})

    def probe(self, _record: records.Record) -> states.State:
        return states.State("Running" if self.version else "Timeout", self.version, "", 1)


@pytest.fixture
def making(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Making:
    making = Making()
    monkeypatch.setattr(output, "program", output.program)
    monkeypatch.setattr(home, "looks_around", home.looks_around)
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(mctl_home))
    monkeypatch.setattr(machines, "create", making.create)
    monkeypatch.setattr(states, "probe", making.probe)
    return making


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Ran:
    code = entry.run(arguments)
    return Ran(code, *capsys.readouterr())


def test_progress_is_told_as_docker_machine_does(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *LINE) == Ran(
        0,
        f"{SAID}Checking connection to Docker...\nDocker is up and running!\n"
        "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: "
        "docker-machine env web-1\n",
        "",
    )
    assert making.specs == [MachineSpec(name="web-1", provider="generic", options={"ip_address": "192.0.2.7"})]


def test_every_shared_flag_becomes_part_of_the_declaration(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    flags = (
        "--engine-install-url none --engine-opt a=1 --engine-opt=b --engine-label x=y "
        "--engine-insecure-registry r:5000 --engine-registry-mirror https://m --engine-storage-driver overlay2 "
        "--engine-env K=V,W --tls-san san.example --engine-version 27 --ssh-host-key accept-new"
    )
    assert run(capsys, *LINE, *flags.split()).code == 0
    assert making.specs == [
        MachineSpec(
            name="web-1",
            provider="generic",
            options={"ip_address": "192.0.2.7"},
            engine=EngineSpec(
                install="none",
                version="27",
                opts=("a=1", "b"),
                labels=("x=y",),
                insecure_registries=("r:5000",),
                registry_mirrors=("https://m",),
                storage_driver="overlay2",
                env=("K=V,W",),
            ),
            tls_sans=("san.example",),
            ssh_host_key="accept-new",
        )
    ]


def test_the_environment_is_enough(
    making: Making, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "MACHINE_DRIVER": "generic",
        "GENERIC_IP_ADDRESS": "192.0.2.9",
        "GENERIC_SSH_PORT": "2222",
        "MACHINE_DOCKER_INSTALL_URL": "https://get.docker.com",
        "ENGINE_REGISTRY_MIRROR": "https://a,https://b",
        "MACHINE_SWARM_IMAGE": "swarm:1.2",
    }.items():
        monkeypatch.setenv(name, value)
    assert run(capsys, "create", "web-1").err == ""
    assert making.specs == [
        MachineSpec(
            name="web-1",
            provider="generic",
            options={"ip_address": "192.0.2.9", "ssh_port": 2222},
            engine=EngineSpec(registry_mirrors=("https://a", "https://b")),
        )
    ]


@pytest.mark.parametrize(
    ("error", "code", "err"),
    [
        (
            StackError("the disk is full", machine="web-1", mend="mctl create web-1 … once more goes on from here"),
            1,
            "Error creating machine: the disk is full\n"
            "  hint: docker-machine create web-1 … once more goes on from here\n",
        ),
        (Interrupted("stopped; what was made so far is kept"), 130, "stopped; what was made so far is kept\n"),
    ],
)
def test_a_failure_on_the_way_is_told_after_the_progress(
    error: MctlError, code: int, err: str, making: Making, capsys: pytest.CaptureFixture[str]
) -> None:
    making.error = error
    assert run(capsys, *LINE) == Ran(code, SAID, err)


def test_a_daemon_that_this_computer_does_not_reach_is_told(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    making.version = ""
    assert run(capsys, *LINE) == Ran(
        1,
        f"{SAID}Checking connection to Docker...\n",
        "Error creating machine: Error checking the host: Timeout\n",
    )


def test_an_install_script_that_is_no_url_is_refused(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *LINE, "--engine-install-url", "get.docker.com") == Ran(
        1,
        "",
        "Error setting machine configuration from flags provided: --engine-install 'get.docker.com' is none of auto, "
        "docker, distro, none or a script's URL\n",
    )
    assert making.specs == []


def test_machines_of_one_discovery_url_are_one_swarm(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    found = ("--swarm", "--swarm-discovery", "token://abc")
    ran = run(capsys, *LINE[:-1], *found, "--swarm-master", "--swarm-strategy", "spread", "boss")
    assert ran.err == (
        "Notice: classic Swarm is gone, and Swarm mode stands in for it; passed over: --swarm-strategy\n"
    )
    run(capsys, *LINE[:-1], *found, "worker")
    run(capsys, *LINE[:-1], "--swarm", "--swarm-discovery", "token://other", "foreign")
    (boss, spec), (worker, _), (foreign, _) = making.swarms
    assert (boss, spec) == ("swarm-1b4ae52d56", SwarmSpec())
    assert worker == boss != foreign


def test_a_swarm_of_no_discovery_url_is_the_machine_alone(making: Making, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, *LINE, "--swarm").err == (
        "Notice: classic Swarm is gone, and Swarm mode stands in for it\n"
        "Notice: web-1 forms a Swarm of its own, for no --swarm-discovery tells which one it is to join\n"
        "  hint: give the --swarm-discovery that its master was created with\n"
    )
    assert making.swarms == [("web-1", SwarmSpec())]
    run(capsys, *LINE)
    assert making.swarms[1:] == [("web-1", None)]
