import json
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.stacks import docker_context, records
from tests.certificates import Authority
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs

NONE = Ran(1, "", 'Error: No active host found\n  hint: eval "$(mctl env NAME)", or docker context use NAME\n')


@pytest.fixture(autouse=True)
def machines(mctl_home: Path) -> None:
    authority = Authority()
    client = authority.client()
    pems = {"ca_cert": authority.cert, "client_cert": client.cert, "client_key": client.key}
    for number, running in ((1, True), (2, True), (3, False)):
        changes = {"docker_url": f"tcp://192.0.2.{number}:2376", "running": running}
        records.save(outputs(f"web-{number}", **changes, **pems), stack="prod", project="/project")


def test_active_names_the_machine_of_docker_host(mctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.2:2376")
    assert mctl("active") == Ran(0, "web-2\n", "")
    assert mctl("active", "-t", "3") == Ran(0, "web-2\n", "")
    assert json.loads(mctl("active", "--json").out) == {"name": "web-2", "url": "tcp://192.0.2.2:2376"}


@pytest.mark.parametrize("host", ["", "unix:///var/run/docker.sock", "tcp://192.0.2.9:2376", "tcp://192.0.2.3:2376"])
def test_no_machine_is_active_where_docker_host_is_none_of_ours_or_switched_off(
    mctl: Run, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("DOCKER_HOST", host)
    assert mctl("active") == NONE


def test_active_passes_over_a_damaged_record(mctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path(records.folder("web-1"), "machine.json").write_text("{")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.2:2376")
    assert mctl("active") == Ran(0, "web-2\n", "")


def test_active_takes_no_name(mctl: Run) -> None:
    assert mctl("active", "web-1") == Ran(
        2, "", "Error: got unexpected extra argument(s) (web-1)\n  hint: mctl active --help\n"
    )


@pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker CLI")
def test_active_follows_dockers_contexts_as_docker_does(mctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("web-1", "web-2"):
        assert docker_context.create_or_update(records.load(name)) is None
    docker("create", "foreign", "--docker", "host=tcp://192.0.2.9:2376")
    assert mctl("active") == NONE
    docker("use", "web-1")
    assert mctl("active") == Ran(0, "web-1\n", "")
    monkeypatch.setenv("DOCKER_CONTEXT", "web-2")
    assert mctl("active") == Ran(0, "web-2\n", "")
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    assert mctl("active") == Ran(0, "web-1\n", "")
    monkeypatch.delenv("DOCKER_HOST")
    for other in ("foreign", "default", "gone"):
        monkeypatch.setenv("DOCKER_CONTEXT", other)
        assert mctl("active") == NONE


@pytest.mark.parametrize("text", ["{", "[]", '{"currentContext": 3}', "{}"])
def test_no_machine_is_active_where_dockers_settings_name_none(mctl: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "docker").mkdir()
    (tmp_path / "docker" / "config.json").write_text(text)
    assert mctl("active") == NONE


def docker(*arguments: str) -> None:
    subprocess.run(["docker", "context", *arguments], check=True, capture_output=True)
