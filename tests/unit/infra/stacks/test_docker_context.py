import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra.stacks import docker_context, records
from tests import daemon
from tests.certificates import Authority
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = [
    pytest.mark.usefixtures("mctl_home"),
    pytest.mark.skipif(not shutil.which("docker"), reason="needs the docker CLI"),
]


CA = Authority()
CLIENT = CA.client()


def save(name: str, **changes: object) -> records.Record:
    pems = {"ca_cert": CA.cert, "client_cert": CLIENT.cert, "client_key": CLIENT.key}
    return records.save(outputs(name, **(pems | changes)), stack="prod", project="/project")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True)
    return done.stdout


def inspected(name: str) -> dict[str, Any]:
    context: dict[str, Any] = json.loads(docker("context", "inspect", name))[0]
    return context


def current() -> str:
    """Give the current context as every docker CLI can tell it."""
    rows = docker("context", "ls", "--format", "{{.Name}} {{.Current}}").splitlines()
    return next(row.split()[0] for row in rows if row.endswith(" true"))


def listed() -> set[str]:
    return set(docker("context", "ls", "--format", "{{.Name}}").split())


def test_a_machine_gets_a_context_with_its_certificates() -> None:
    assert docker_context.create_or_update(save("web-1")) is None
    context = inspected("web-1")
    assert context["Metadata"] == {"Description": "mctl machine web-1"}
    assert context["Endpoints"]["docker"] == {"Host": "tcp://192.0.2.7:2376", "SkipTLSVerify": False}
    assert sorted(context["TLSMaterial"]["docker"]) == ["ca.pem", "cert.pem", "key.pem"]
    stored = Path(context["Storage"]["TLSPath"], "docker", "key.pem")
    assert stored.read_text() == CLIENT.key
    assert oct(stored.stat().st_mode & 0o777) == "0o600"


def test_docker_reaches_the_machine_through_its_context(tmp_path: Path) -> None:
    with daemon.serve(CA, CA.server("127.0.0.1"), tmp_path) as port:
        docker_context.create_or_update(save("web-1", docker_url=f"tcp://127.0.0.1:{port}"))
        assert docker("--context", "web-1", "version", "--format", "{{.Server.Version}}") == "27.3.1\n"


def test_a_machine_that_moved_takes_its_context_along() -> None:
    docker_context.create_or_update(save("web-1"))
    renewed = CA.client()
    pems = {"client_cert": renewed.cert, "client_key": renewed.key}
    moved = save("web-1", docker_url="tcp://192.0.2.8:2376", **pems)
    assert docker_context.create_or_update(moved) is None
    context = inspected("web-1")
    assert context["Endpoints"]["docker"]["Host"] == "tcp://192.0.2.8:2376"
    assert Path(context["Storage"]["TLSPath"], "docker", "cert.pem").read_text() == renewed.cert


def test_a_home_with_commas_and_quotes_is_fine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / 'a, "b" c'))
    assert docker_context.create_or_update(save("web-1")) is None
    assert inspected("web-1")["Endpoints"]["docker"]["Host"] == "tcp://192.0.2.7:2376"


def test_the_longest_name_is_still_known_as_ours() -> None:
    name = "m" * 63
    docker_context.create_or_update(save(name))
    assert docker_context.create_or_update(save(name)) is None
    assert docker_context.remove(name) is None
    assert listed() == {"default"}


def test_a_context_of_someone_else_is_never_touched() -> None:
    docker("context", "create", "web-1", "--description", "mine", "--docker", "host=tcp://198.51.100.1:1")
    assert docker_context.create_or_update(save("web-1")) == (
        'docker context "web-1" is not ours and stays as it is: use `eval "$(mctl env web-1)"`'
    )
    assert docker_context.remove("web-1") is None
    context = inspected("web-1")
    assert context["Endpoints"]["docker"]["Host"] == "tcp://198.51.100.1:1"
    assert context["Metadata"] == {"Description": "mine"}


@pytest.mark.parametrize("variable", ["", "DOCKER_HOST", "DOCKER_CONTEXT"])
def test_removing_the_current_context_leaves_it_first(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    docker_context.create_or_update(save("web-1"))
    docker_context.create_or_update(save("web-2"))
    docker("context", "use", "web-1")
    if variable:
        monkeypatch.setenv(variable, "tcp://192.0.2.7:2376" if variable == "DOCKER_HOST" else "web-2")
    assert docker_context.remove("web-1") is None
    monkeypatch.delenv(variable or "DOCKER_HOST", raising=False)
    assert current() == "default"
    assert listed() == {"default", "web-2"}


def test_removing_another_context_keeps_the_current_one() -> None:
    for name in ("web-1", "web-2"):
        docker_context.create_or_update(save(name))
    docker("context", "use", "web-2")
    assert docker_context.remove("web-1") is None
    assert current() == "web-2"


@pytest.mark.parametrize(("before", "after"), [("web-1", "shop"), ("web-2", "web-2"), ("default", "default")])
def test_the_current_context_follows_a_machine_to_its_new_name(before: str, after: str) -> None:
    for name in ("web-1", "web-2"):
        docker_context.create_or_update(save(name))
    docker("context", "use", before)
    assert docker_context.create_or_update(save("shop"), formerly="web-1") is None
    assert docker_context.remove("web-1") is None
    assert current() == after
    assert listed() == {"default", "shop", "web-2"}


def test_the_current_context_of_someone_else_is_not_left_for_a_machine_that_had_its_name() -> None:
    docker("context", "create", "web-1", "--description", "mine", "--docker", "host=tcp://198.51.100.1:1")
    docker("context", "use", "web-1")
    assert docker_context.create_or_update(save("shop"), formerly="web-1") is None
    assert current() == "web-1"


def test_removing_an_unknown_context_is_fine() -> None:
    assert docker_context.remove("nope") is None
    assert docker_context.remove("default") is None


def test_the_machine_default_has_no_context_and_is_told_why() -> None:
    assert docker_context.create_or_update(save("default")) == (
        'docker keeps the context name "default" for itself: use `eval "$(mctl env default)"`'
    )
    assert listed() == {"default"}


def test_a_name_that_docker_refuses_is_a_notice() -> None:
    notice = docker_context.create_or_update(save("x"))
    assert notice is not None
    assert notice.startswith('no docker context "x": context name "x" is invalid')


def test_without_a_docker_cli_there_is_a_notice_and_removing_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    record = save("web-1")
    monkeypatch.setenv("PATH", "/nonexistent")
    assert docker_context.create_or_update(record) == ('no docker context "web-1": there is no docker program on PATH')
    assert docker_context.remove("web-1") is None


def test_a_broken_docker_cli_is_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "docker"
    says = ("first", "cannot do it", "", "Run 'docker context --help' for more information")
    program.write_text("#!/bin/sh\n" + "".join(f'echo "{line}" >&2\n' for line in says) + "exit 3\n")
    program.chmod(0o755)
    record = save("web-1")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert docker_context.create_or_update(record) == 'no docker context "web-1": cannot do it'
    assert docker_context.remove("web-1") == 'docker context "web-1" is left: cannot do it'
