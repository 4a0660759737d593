"""Each documented error of docker-machine: its whole text, and its exit code."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.stacks import records
from tests.cli_runner import Ran
from tests.stack_outputs import outputs
from tests.unit.cli.compat.conftest import DockerMachine

ABOUT_TO = "About to remove {}\nWARNING: This action will delete both local reference and remote instance.\n".format
NOWHERE = (
    'Docker machine "{0}" does not exist. Use "docker-machine ls" to list machines. Use "docker-machine create" to add '
    "a new one.\n"
).format
NO_DEFAULT = 'Error: No machine name(s) specified and no "default" machine exists\n'
ONE = "Error: Expected one machine name as an argument\n"
TOO_MANY = "Error: Too many arguments given\n"
GENERIC = ("create", "--driver", "generic", "--generic-ip-address", "127.0.0.1")


@pytest.fixture(autouse=True)
def machines(mctl_home: Path) -> Path:
    """Two machines, one of which is off; and one that docker-machine made."""
    records.save(outputs("web-1"), stack="prod", project="/project")
    records.save(outputs("off", running=False), stack="prod", project="/project")
    old = mctl_home / "machines" / "old"
    old.mkdir()
    (old / "config.json").write_text('{"ConfigVersion": 3, "DriverName": "amazonec2", "Name": "old"}\n')
    return mctl_home


@pytest.mark.parametrize(
    ("line", "err"),
    [
        ("nope", "docker-machine: 'nope' is not a docker-machine command. See 'docker-machine --help'.\n"),
        ("help nope", "docker-machine: 'nope' is not a docker-machine command. See 'docker-machine --help'.\n"),
        ("help a b", TOO_MANY),
        *((verb, NO_DEFAULT) for verb in ("config", "env --shell bash", "inspect", "ip", "kill", "restart", "ssh")),
        *((verb, NO_DEFAULT) for verb in ("start", "status", "stop", "url", "provision")),
        *((f"{verb} nope", NOWHERE("nope")) for verb in ("config", "env --shell bash", "inspect", "ip", "kill", "ssh")),
        *((f"{verb} nope", NOWHERE("nope")) for verb in ("restart", "start", "status", "stop", "url", "version")),
        ("stop web-1 nope gone", NOWHERE("nope") + NOWHERE("gone")),
        ("provision nope", NOWHERE("nope")),
        *((f"{verb} a b", ONE) for verb in ("config", "env", "inspect", "status", "url", "version")),
        ("active web-1", TOO_MANY),
        ("ls web-1", TOO_MANY),
        ("url off", "Host is not running\n"),
        ("config off", "Host is not running\n"),
        ("version off", "Host is not running\n"),
        ("env off --shell bash", "Host is not running\n"),
        ("ssh off", 'Error: Cannot run SSH command: Host "off" is not running\n'),
        (
            "env -u web-1",
            "Error: Expected no machine name when the -u flag is present\n",
        ),
        (
            "ip old",
            "machine \"old\" is docker-machine's, and not mctl's yet\n  hint: docker-machine import old\n",
        ),
        (
            "active",
            'No active host found\n  hint: eval "$(docker-machine env NAME)", or docker context use NAME\n',
        ),
        ("ls --filter state", "Unsupported filter syntax\n  hint: --filter takes KEY=VALUE, not 'state'\n"),
        (
            "ls -q --filter colour=red",
            "Unsupported filter key 'colour'\n  hint: --filter takes: driver, swarm, state, name, label\n",
        ),
        (
            "ls -t -5",
            "Error: invalid value for '--timeout' / '-t': it must be at least 0.1\n  hint: docker-machine ls --help\n",
        ),
        ("create a b", "Invalid command line. Found extra arguments [b]\n"),
        (
            "create a_b",
            "Error creating machine: Invalid hostname specified. Allowed hostname chars are: 0-9a-zA-Z . -\n",
        ),
        (
            "create -d nope x",
            'Driver "nope" not found. Do you have the plugin binary "docker-machine-driver-nope" accessible in your '
            "PATH?\n",
        ),
        (
            "create -d generic x",
            "Error setting machine configuration from flags provided: generic driver requires the --generic-ip-address "
            "option\n",
        ),
        (
            "create --swarm --swarm-discovery token x",
            "Error parsing swarm discovery: Swarm Discovery URL was in the wrong format: token\n",
        ),
    ],
)
def test_the_text_is_docker_machines_and_the_exit_code_is_1(docker_machine: DockerMachine, line: str, err: str) -> None:
    assert docker_machine(*line.split()) == Ran(1, "", err)


@pytest.mark.parametrize("name", ["web-1", "old"])
def test_a_taken_name_is_refused(docker_machine: DockerMachine, machines: Path, name: str) -> None:
    config = (machines / "machines" / "old" / "config.json").read_text()
    assert docker_machine(*GENERIC, name) == Ran(
        1, "Running pre-create checks...\n", f'Docker machine "{name}" already exists\n'
    )
    assert [file.name for file in (machines / "machines" / "old").iterdir()] == ["config.json"]
    assert (machines / "machines" / "old" / "config.json").read_text() == config


def test_a_failed_pre_create_check_exits_3(docker_machine: DockerMachine) -> None:
    assert docker_machine(*GENERIC, "--generic-ssh-key", "/nowhere/key", "x") == Ran(
        3,
        "Running pre-create checks...\n",
        'Error with pre-create check: "the SSH key /nowhere/key can\'t be read: No such file or directory"\n'
        "  hint: name a private key that you can read with --generic-ssh-key\n",
    )


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--nope ls", "flag provided but not defined: -nope"),
        ("rm --nope web-1", "flag provided but not defined: -nope"),
        ("ls -t soon", 'invalid value "soon" for flag -t: strconv.ParseInt: parsing "soon": invalid syntax'),
        ("create -d amazonec2 --amazonec2-regoin x y", "flag provided but not defined: -amazonec2-regoin"),
        ("create --amazonec2-region eu-west-1 x", "flag provided but not defined: -amazonec2-region"),
        ("inspect -f", "flag needs an argument: -f"),
    ],
)
def test_an_unknown_flag_shows_the_help_and_exits_1(docker_machine: DockerMachine, line: str, message: str) -> None:
    ran = docker_machine(*line.split())
    assert (ran.code, ran.out) == (1, "")
    lines = ran.err.splitlines()
    assert lines[:2] == ["Incorrect Usage.", ""]
    assert lines[2].startswith("Usage: docker-machine ")
    assert lines[-2:] == ["", message]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rm", "Error: Expected to get one or more machine names as arguments"),
        ("scp a", "Improper number of arguments"),
        ("scp a b c", "Improper number of arguments"),
        ("mount", "Improper number of arguments"),
        ("create", "Error: No machine name specified"),
    ],
)
def test_a_wrong_number_of_names_is_told(docker_machine: DockerMachine, line: str, message: str) -> None:
    ran = docker_machine(*line.split())
    assert (ran.code, ran.out, ran.err.splitlines()[-1]) == (1, "", message)


def test_rm_asks_and_does_nothing_without_a_yes(docker_machine: DockerMachine, machines: Path) -> None:
    for answer in ("n\n", "", "\n", "no\n"):
        assert docker_machine("rm", "web-1", "off", answer=answer) == Ran(
            0, f"{ABOUT_TO('web-1, off')}Are you sure? (y/n): ", ""
        )
    assert records.names() == ["off", "web-1"]


def test_rm_removes_after_a_yes_and_tells_what_it_could_not(docker_machine: DockerMachine) -> None:
    assert docker_machine("rm", "web-1", "nope", answer="Y\n") == Ran(
        1,
        f"{ABOUT_TO('web-1, nope')}Are you sure? (y/n): Successfully removed web-1\n",
        f'Error removing host "nope": {NOWHERE("nope")}',
    )
    assert records.names() == ["off"]


def test_rm_never_touches_what_docker_machine_made(docker_machine: DockerMachine, machines: Path) -> None:
    assert docker_machine("rm", "-f", "old") == Ran(
        1,
        ABOUT_TO("old"),
        'Error removing host "old": machine "old" is docker-machine\'s, and not mctl\'s yet\n'
        "  hint: docker-machine import old\n",
    )
    assert (machines / "machines" / "old" / "config.json").exists()


def test_rm_by_force_of_a_machine_that_is_not_there_ends_well(docker_machine: DockerMachine) -> None:
    assert docker_machine("rm", "-f", "nope") == Ran(
        0, ABOUT_TO("nope"), f'Error removing host "nope": {NOWHERE("nope")}'
    )
