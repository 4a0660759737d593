"""The name docker-machine: global flags, the store, help, and what is mctl's own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cli.compat.verbs import VERBS
from infra.stacks import records
from tests import daemon
from tests.certificates import Authority
from tests.cli_runner import Ran
from tests.stack_outputs import outputs
from tests.unit.cli.compat.conftest import DockerMachine

VERSION = "docker-machine version 0.16.2, build mctl-0.1.0\n"


@pytest.fixture(autouse=True)
def machine(mctl_home: Path) -> records.Record:
    return records.save(outputs("web-1"), stack="prod", project="/project")


@pytest.mark.parametrize("line", ["", "--help", "-h", "help"])
def test_the_help_lists_every_verb(docker_machine: DockerMachine, line: str) -> None:
    ran = docker_machine(*line.split())
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Usage: docker-machine [OPTIONS] COMMAND [arg...]\n")
    listed = ran.out.partition("Commands:\n")[2].partition("\n\n")[0]
    assert [row.split()[0] for row in listed.splitlines()] == list(VERBS)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - {"ssh"}))
def test_each_verb_explains_its_flags(docker_machine: DockerMachine, verb: str) -> None:
    ran = docker_machine(verb, "--help")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"Usage: docker-machine {verb} ")
    assert all(f"-{flag.name}" in ran.out for flag in VERBS[verb].flags)
    assert docker_machine("help", verb) == ran or verb == "create"


def test_create_explains_the_flags_of_the_driver_that_is_named(docker_machine: DockerMachine) -> None:
    said = docker_machine("create", "--driver", "amazonec2", "--help").out
    assert "   --amazonec2-region                   (default: us-east-1) [$AWS_DEFAULT_REGION]\n" in said
    assert "--virtualbox-memory" not in said


@pytest.mark.parametrize("line", ["-v", "--version", "version"])
def test_the_version_is_the_one_that_it_stands_for(docker_machine: DockerMachine, line: str) -> None:
    assert docker_machine(line) == Ran(0, VERSION, "")


def test_machines_are_where_docker_machine_keeps_them(
    docker_machine: DockerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = {"given": tmp_path / "given", "named": tmp_path / "named", "own": tmp_path / ".docker" / "machine"}
    for name, place in places.items():
        monkeypatch.setenv("MCTL_HOME", str(place))
        records.save(outputs(name), stack="prod", project="/project")
    monkeypatch.setenv("MCTL_HOME", str(places["given"]))
    assert docker_machine("ls", "-q").out == "given\n"
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(places["named"]))
    assert docker_machine("ls", "-q").out == "named\n"
    for flag in (["-s", str(places["given"])], [f"--storage-path={places['given']}"]):
        assert docker_machine(*flag, "ls", "-q").out == "given\n"
    monkeypatch.delenv("MACHINE_STORAGE_PATH")
    monkeypatch.delenv("MCTL_HOME")
    assert docker_machine("ls", "-q").out == "own\n"


def test_a_project_around_the_current_folder_is_none_of_its_business(docker_machine: DockerMachine) -> None:
    Path("Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    Path("Pulumi.prod.yaml").write_text("config:\n  mctl:machines:\n    db: {provider: qemu}\n")
    assert "db" not in docker_machine("ls", "-t", "1").out
    assert docker_machine("ip", "db").code == 1


def test_flags_that_mean_nothing_here_are_taken_with_one_notice(
    docker_machine: DockerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert docker_machine("--bugsnag-api-token=no-report", "ls", "-q") == Ran(0, "web-1\n", "")
    assert docker_machine("--native-ssh", "--tls-ca-cert", "/ca.pem", "ls", "-q") == Ran(
        0,
        "web-1\n",
        "Notice: --tls-ca-cert changes nothing: each stack has an authority and a client certificate of its own\n"
        "Notice: --native-ssh changes nothing: ssh is always the program on PATH\n",
    )
    monkeypatch.setenv("MACHINE_NATIVE_SSH", "true")
    assert docker_machine("ls", "-q") == Ran(0, "web-1\n", "")


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("TRUE", True), ("0", False), ("", False)])
def test_debug_shows_tracebacks(
    docker_machine: DockerMachine, value: str, shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_DEBUG", value)
    assert docker_machine("ip", "nope").err.startswith("Traceback") is shown


def test_a_debug_variable_that_can_mean_nothing_is_refused(
    docker_machine: DockerMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_DEBUG", "maybe")
    assert docker_machine("ls") == Ran(
        1,
        "",
        'Error parsing boolean value from MACHINE_DEBUG: strconv.ParseBool: parsing "maybe": invalid syntax\n',
    )


def test_env_names_the_command_that_it_was_called_by(docker_machine: DockerMachine, mctl_home: Path) -> None:
    assert docker_machine("env", "-shell", "bash", "web-1") == Ran(
        0,
        'export DOCKER_TLS_VERIFY="1"\n'
        'export DOCKER_HOST="tcp://192.0.2.7:2376"\n'
        f'export DOCKER_CERT_PATH="{mctl_home}/machines/web-1"\n'
        'export DOCKER_MACHINE_NAME="web-1"\n'
        "# Run this command to configure your shell:\n"
        '# eval "$(docker-machine env --shell bash web-1)"\n',
        "",
    )


def test_ip_answers_in_the_order_asked(docker_machine: DockerMachine) -> None:
    records.save(outputs("db", address="192.0.2.9"), stack="prod", project="/project")
    assert docker_machine("ip", "web-1", "db", "web-1") == Ran(0, "192.0.2.7\n192.0.2.9\n192.0.2.7\n", "")


def test_config_asks_the_daemon(docker_machine: DockerMachine, mctl_home: Path, tmp_path: Path) -> None:
    ca = Authority()
    client = ca.client()
    pems = {"ca_cert": ca.cert, "client_cert": client.cert, "client_key": client.key}
    with daemon.serve(ca, ca.server("127.0.0.1"), tmp_path) as port:
        url = f"tcp://127.0.0.1:{port}"
        records.save(outputs("web-1", docker_url=url, address="127.0.0.1", **pems), stack="prod", project="/project")
        folder = mctl_home / "machines" / "web-1"
        assert docker_machine("config", "web-1") == Ran(
            0,
            f'--tlsverify\n--tlscacert="{folder}/ca.pem"\n--tlscert="{folder}/cert.pem"\n--tlskey="{folder}/key.pem"\n'
            f"-H={url}\n",
            "",
        )
        records.save(outputs("web-1", docker_url=url, address="127.0.0.1"), stack="prod", project="/project")
        ran = docker_machine("config", "web-1")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"Error running connection boilerplate: the certificates in {folder} can't be used: ")
    records.save(
        outputs("web-1", docker_url=url, address="127.0.0.1", ssh_port=port, **pems), stack="prod", project="/"
    )
    assert docker_machine("config", "web-1") == Ran(
        1, "", "Error running connection boilerplate: Host is not running\n"
    )


def test_inspect_shows_the_config_of_what_is_made_begun_or_docker_machines_own(
    docker_machine: DockerMachine, mctl_home: Path
) -> None:
    records.begin("late", provider="generic", stack="late", project=str(mctl_home))
    old = mctl_home / "machines" / "old"
    old.mkdir()
    (old / "config.json").write_text('{"Name": "old"}\n')
    for name in ("web-1", "late", "old"):
        ran = docker_machine("inspect", name)
        assert ran == Ran(0, (mctl_home / "machines" / name / "config.json").read_text(), "")
        assert json.loads(ran.out)["Name"] == name


def test_ls_shows_what_docker_machine_made_and_how_to_take_it_over(
    docker_machine: DockerMachine, mctl_home: Path
) -> None:
    records.remove("web-1")
    old = mctl_home / "machines" / "old"
    old.mkdir()
    (old / "config.json").write_text('{"Name": "old"}\n')
    assert docker_machine("ls") == Ran(
        0,
        "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER    ERRORS\n"
        "old    -                 Error                 Unknown   "
        "docker-machine's: docker-machine import old takes it over\n",
        "",
    )


def test_a_verb_that_only_mctl_has_works_on_the_same_store(docker_machine: DockerMachine) -> None:
    assert docker_machine("up", "nope").err.startswith('Docker machine "nope" does not exist.')


def test_reads_are_as_fast_as_mctls_own(docker_machine: DockerMachine, tmp_path: Path) -> None:
    for arguments in (("ls", "-q"), ("env", "--shell", "bash", "web-1"), ("ip", "web-1"), ("url", "web-1")):
        command = [sys.executable, "-X", "importtime", str(tmp_path / "docker-machine"), *arguments]
        told = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=True).stderr
        imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if "|" in line}
        assert "infra" in imported
        heavy = {"typer", "rich", "pulumi", "grpc", "yaml", "ruamel", "dataclasses", "pathlib", "subprocess", "ssl"}
        assert imported & heavy == set()


def test_ssh_explains_itself_and_leaves_the_rest_to_ssh(
    docker_machine: DockerMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for flag in ("-h", "--help", "-help"):
        assert docker_machine("ssh", flag).out.startswith("Usage: docker-machine ssh [arg...]\n")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ssh").write_text('#!/bin/sh\nwhile [ "$1" != 192.0.2.7 ]; do shift; done\necho "$@"\nexit 9\n')
    (programs / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    assert docker_machine("ssh", "web-1", "-L", "1:b:2", "--", "ls", "-h") == Ran(
        9, "192.0.2.7 -L 1:b:2 -- ls -h\n", ""
    )
