import re
import subprocess
import sys
from pathlib import Path

import pytest

from cli import app, fast
from infra.stacks import records
from tests.cli_runner import PROGRAM, as_process
from tests.stack_outputs import outputs

PLAIN = [
    ("ip",),
    ("ip", "web-1", "default"),
    ("ip", "--json", "web-1"),
    ("url", "web-1"),
    ("url", "--json"),
    ("config", "web-1"),
    ("config", "web-1", "--json"),
    ("inspect", "web-1"),
    ("inspect", "--json"),
    ("inspect", "-f", "{{.Driver.IPAddress}} {{json .labels}}"),
    ("inspect", "web-1", "--format={{.Name}}"),
    ("active",),
    ("active", "--json"),
    ("ls", "-q"),
    ("ls", "--quiet", "--json"),
    ("ls", "-q", "--filter", "name=web", "--filter=driver=generic"),
    ("ls", "-q", "-f", "{{.State}}"),
    ("env",),
    ("env", "web-1", "--shell", "fish"),
    ("env", "--shell=tcsh", "web-1"),
    ("env", "-u"),
    ("env", "--no-proxy", "--unset"),
    ("env", "--json", "web-1"),
]
ASKING = [
    ("ls",),
    ("ls", "--json", "--filter", "name=none"),
    ("ls", "--filter=state=stopped", "--filter", "name=web"),
    ("ls", "-f", r"table {{.Name}}\t{{.State}}"),
    ("ls", "--format={{.Name}}"),
]
FOR_TYPER = [
    (),
    ("--debug", "ip"),
    ("--version",),
    ("ip", "--help"),
    ("ip", "-x"),
    ("ip", "--", "web-1"),
    ("ip", "--json=yes"),
    ("ip", ""),
    ("url", "a", "b"),
    ("env", "--shell"),
    ("env", "--shell", "--json"),
    ("env", "--shell="),
    ("ls", "web-1"),
    ("ls", "-t", "1"),
    ("ls", "-f"),
    ("ls", "-q", "web-1"),
    ("ls", "-q", "-t", "1"),
    ("ls", "-q", "--filter"),
    ("active", "-t", "1"),
    ("inspect", "-f"),
    ("create", "web-1"),
    ("status",),
    ("ssh", "web-1"),
]


@pytest.fixture(autouse=True)
def machines(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2376")
    for name in ("default", "web-1"):
        records.save(outputs(name), stack="prod", project="/project")
    return mctl_home


@pytest.fixture
def off(machines: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have machines that no one need wait for."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    for name in ("default", "web-1"):
        port = {"address": "127.0.0.1", "docker_url": "tcp://127.0.0.1:1", "ssh_port": 1}
        records.save(outputs(name, **port), stack="prod", project="/project")


@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("arguments", [*PLAIN, *ASKING], ids=" ".join)
def test_the_short_way_and_typer_say_the_same(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    text = fast.answer(arguments)
    assert app.run(arguments) == 0
    assert capsys.readouterr() == (text, "")


@pytest.mark.parametrize("arguments", FOR_TYPER, ids=" ".join)
def test_what_is_not_plain_is_left_to_typer(arguments: tuple[str, ...]) -> None:
    assert fast.answer(arguments) is None


@pytest.mark.parametrize(
    ("arguments", "split"),
    [
        (["ssh"], (None, [])),
        (["ssh", "web-1"], ("web-1", [])),
        (["ssh", "web-1", "-L", "1:b:2", "--", "ls", "-l"], ("web-1", ["-L", "1:b:2", "--", "ls", "-l"])),
        (["ssh", "--help"], None),
        (["ip"], None),
        ([], None),
    ],
)
def test_ssh_takes_what_follows_the_name_as_it_is(
    arguments: list[str], split: tuple[str | None, list[str]] | None
) -> None:
    assert fast.ssh(arguments) == split


@pytest.mark.parametrize("arguments", [*PLAIN, ("ip", "nope"), ("ssh", "nope")], ids=" ".join)
def test_plain_reads_import_neither_typer_nor_pulumi(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", PROGRAM, *arguments]
    told = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if "|" in line}
    assert "infra" in imported
    heavy = {"typer", "rich", "pulumi", "grpc", "yaml", "ruamel", "dataclasses", "pathlib", "subprocess", "ssl"}
    assert imported & heavy == set()


@pytest.mark.usefixtures("off")
@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_a_plain_ls_imports_nothing_that_it_can_do_without(arguments: tuple[str, ...]) -> None:
    command = [sys.executable, "-X", "importtime", PROGRAM, *arguments]
    told = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False).stderr
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in told.splitlines() if "|" in line}
    assert "infra" in imported
    assert imported & {"typer", "rich", "pulumi", "grpc", "yaml", "ruamel", "filelock", "http"} == set()


@pytest.mark.usefixtures("off")
def test_the_rest_imports_no_pulumi_before_it_must() -> None:
    for arguments in (("--help",), ("ls", "-t", "9"), ("status",), ("version",)):
        command = [sys.executable, "-X", "importtime", PROGRAM, *arguments]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stderr
        assert "typer" in told
        assert not re.search(r"\| +pulumi\b(?!_)", told)


def test_a_name_after_a_double_dash_is_still_a_name() -> None:
    assert as_process("ip", "--", "web-1").out == "192.0.2.7\n"
