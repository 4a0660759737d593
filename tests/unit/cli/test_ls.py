import json
import re
import shutil
import socket
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.stacks import docker_context, records
from tests import daemon
from tests.certificates import Authority
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs

CA = Authority()
NO_ONE = "192.0.2.7"  # RFC 5737: an address that nothing has
SERVER, CLIENT = CA.server("127.0.0.1"), CA.client()
pytestmark = pytest.mark.usefixtures("mctl_home")


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def save(name: str, docker_port: int | None = None, **changes: object) -> str:
    url = f"tcp://127.0.0.1:{docker_port or closed_port()}"
    pems = {"ca_cert": CA.cert, "client_cert": CLIENT.cert, "client_key": CLIENT.key}
    settings = {"address": "127.0.0.1", "ssh_port": closed_port(), "docker_url": url, **pems, **changes}
    records.save(outputs(name, **settings), stack="prod", project="/project")
    return url


def test_ls_without_machines_prints_the_header(mctl: Run) -> None:
    assert mctl("ls") == Ran(0, "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER   ERRORS\n", "")
    assert mctl("ls", "--json") == Ran(0, "[]\n", "")


def test_ls_shows_running_stopped_and_damaged_machines(
    mctl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        url = save("web-1", port)
        save("web-10", provider="qemu")
        save("web-2")
        Path(records.folder("web-2"), "machine.json").write_text("[]")
        monkeypatch.setenv("DOCKER_HOST", url)
        ran = mctl("ls")
    gap = " " * (len(url) + 3)
    assert ran == Ran(
        0,
        f"NAME     ACTIVE   DRIVER    STATE     {'URL':<{len(url)}}   SWARM   DOCKER    ERRORS\n"
        f"web-1    *        generic   Running   {url}           v27.3.1\n"
        f"web-2    -                  Error     {gap}        Unknown   "
        'the record of machine "web-2" can\'t be read: machine.json holds no object; mctl refresh web-2\n'
        f"web-10   -        qemu      Stopped   {gap}        Unknown\n",
        "",
    )


def test_ls_shows_a_declared_machine_that_has_no_record_here(mctl: Run) -> None:
    Path("Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    Path("Pulumi.prod.yaml").write_text("config:\n  mctl:machines:\n    db: {provider: qemu}\n")
    assert mctl("ls") == Ran(
        0,
        "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER    ERRORS\n"
        "db     -        qemu                           Unknown   "
        "no record here yet: mctl refresh db fetches it, mctl up db makes the machine\n",
        "",
    )
    assert mctl("ls", "-q") == Ran(0, "", "")


def test_ls_shows_what_it_can_where_a_declaration_cannot_be_read(mctl: Run) -> None:
    url = save("web-1")
    Path("Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    Path("Pulumi.prod.yaml").write_text("config: [\n")
    ran = mctl("ls")
    assert ran.code == 0
    assert ran.err.startswith(f"Error: {Path.cwd()}/Pulumi.prod.yaml:2 can't be read: ")
    assert [line.split()[0] for line in ran.out.splitlines()] == ["NAME", "web-1"]
    assert url not in ran.out, "it does not run"


def test_ls_as_json_gives_every_column(mctl: Run, tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        url = save("web-1", port)
        ran = mctl("ls", "--json", "--timeout", "5")
    (row,) = json.loads(ran.out)
    assert isinstance(row.pop("milliseconds"), int)
    assert row == {
        "name": "web-1",
        "active": False,
        "driver": "generic",
        "state": "Running",
        "url": url,
        "swarm": "",
        "docker_version": "27.3.1",
        "error": "",
        "stack": "prod",
        "certificate_expiry": "2031-01-02T03:04:05Z",
    }


def test_ls_prints_every_field_that_a_template_asks_for(mctl: Run, tmp_path: Path) -> None:
    fields = (
        "Name Active ActiveHost ActiveSwarm DriverName State URL SwarmOptions.Image Swarm EngineOptions.StorageDriver "
        "Error DockerVersion Stack CertificateExpiry"
    )
    with daemon.serve(CA, SERVER, tmp_path) as port:
        url = save("web-1", port, engine={"storage_driver": "overlay2"})
        ran = mctl("ls", "--format", "|".join(f"{{{{.{field}}}}}" for field in fields.split()))
        took = mctl("ls", "-f", "{{.ResponseTime}}").out
    assert ran == Ran(
        0,
        f"web-1|-|false|false|generic|Running|{url}|swarm:latest||overlay2||v27.3.1|prod|2031-01-02T03:04:05Z\n",
        "",
    )
    assert re.fullmatch(r"\d+ms\n|[\d.]+s\n", took)


def test_ls_sets_a_table_template_in_columns_under_its_header(mctl: Run) -> None:
    save("web-1")
    save("a-longer-name", provider="qemu")
    assert mctl("ls", "--format", r"table {{.Name}}\t{{.State}}: {{.DriverName}}") == Ran(
        0,
        "NAME            STATE: DRIVER\na-longer-name   Stopped: qemu\nweb-1           Stopped: generic\n",
        "",
    )


def test_ls_prints_a_template_without_table_as_it_is(mctl: Run) -> None:
    save("web-1")
    save("a-longer-name")
    assert mctl("ls", "-f", r"{{.Name}}\t{{.State}}\n").out == "a-longer-name\tStopped\n\nweb-1\tStopped\n\n"
    facts = json.loads(mctl("ls", "-f", "{{json .}}", "--filter", "name=web").out)
    assert (facts["Name"], facts["State"], facts["EngineOptions"]["Labels"]) == ("web-1", "Stopped", ["tier=web"])


@pytest.mark.parametrize(
    ("template", "message", "hint"),
    [
        ("{{.Name", "template parsing error: unclosed action", ""),
        (
            "{{.Nme}}",
            "can't evaluate field Nme",
            "  hint: the fields are: Name, Active, ActiveHost, ActiveSwarm, DriverName, State, URL, SwarmOptions, "
            "Swarm, EngineOptions, Error, DockerVersion, ResponseTime, Stack, CertificateExpiry\n",
        ),
    ],
)
def test_ls_refuses_a_template_that_it_cannot_fill_in(mctl: Run, template: str, message: str, hint: str) -> None:
    save("web-1")
    assert mctl("ls", "--format", template) == Ran(1, "", f"Error: {message}\n{hint}")


def test_ls_tells_of_a_certificate_that_is_about_to_end(mctl: Run) -> None:
    end = (datetime.now(UTC) + timedelta(days=5)).isoformat(timespec="seconds")
    save("web-1", certificate_expiry=end)
    error = f"its server certificate ends on {end[:10]}; mctl regenerate-certs web-1"
    assert mctl("ls", "-f", "{{.State}}: {{.Error}}") == Ran(0, f"Stopped: {error}\n", "")
    (row,) = json.loads(mctl("ls", "--json").out)
    assert (row["certificate_expiry"], row["error"]) == (end, error)


def test_ls_marks_the_machine_of_dockers_current_context(mctl: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("docker"):
        pytest.skip("needs the docker CLI")
    save("web-1")
    save("web-2")
    assert docker_context.create_or_update(records.load("web-2")) is None
    assert mctl("ls", "-f", "{{.Name}}{{.Active}}").out == "web-1-\nweb-2-\n"
    monkeypatch.setenv("DOCKER_CONTEXT", "web-2")
    assert mctl("ls", "-f", "{{.Name}}{{.Active}}").out == "web-1-\nweb-2*\n"


def test_dead_machines_cost_one_timeout_between_them(mctl: Run) -> None:
    for number in range(40):
        save(f"web-{number}", address=NO_ONE, docker_url=f"tcp://{NO_ONE}:2376")
    began = time.monotonic()
    ran = mctl("ls", "-t", "1", "-f", "{{.State}}")
    assert ran == Ran(0, "Timeout\n" * 40, "")
    assert time.monotonic() - began < 10, "one after the other they cost 40"


def test_ls_gives_a_silent_machine_up_after_the_timeout(mctl: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        url = save("web-1", port, ssh_port=port)
        ran = mctl("ls", "-t", "0.5")
    assert ran.out.splitlines()[1].split(maxsplit=5) == [
        *("web-1", "-", "generic", "Running", url, "Unknown   Unable to query docker version: no answer in time"),
    ]


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_ls_refuses_a_timeout_that_is_none(mctl: Run, value: str) -> None:
    ran = mctl("ls", "-t", value)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: invalid value for '--timeout' / '-t': ")
    assert ran.err.endswith("\n  hint: mctl ls --help\n")


def test_status_is_one_word(mctl: Run, tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        save("default", port)
        save("off")
        assert mctl("status") == Ran(0, "Running\n", "")
        assert mctl("status", "off") == Ran(0, "Stopped\n", "")


def test_status_as_json_says_why(mctl: Run, tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path, status=500) as port:
        save("web-1", port)
        answer = json.loads(mctl("status", "web-1", "--json").out)
    assert isinstance(answer.pop("milliseconds"), int)
    assert answer == {
        "name": "web-1",
        "state": "Running",
        "docker_version": "",
        "error": "Unable to query docker version: the daemon answered 500 Internal Server Error",
    }


def test_version_of_a_machine_is_its_engines(mctl: Run, tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        save("web-1", port)
        assert mctl("version", "web-1") == Ran(0, "27.3.1\n", "")
        assert json.loads(mctl("version", "web-1", "--json").out) == {"name": "web-1", "docker_version": "27.3.1"}


def test_version_of_a_stopped_machine_says_how_to_start_it(mctl: Run) -> None:
    save("web-1")
    assert mctl("version", "web-1") == Ran(
        1,
        "",
        'Error: machine "web-1" does not tell its Docker version: it is Stopped\n  hint: mctl start web-1\n',
    )
