"""What import says of docker-machine's stores, without asking any host: the whole output and the exit code."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.stacks import records
from tests.cli_runner import Ran, Run, as_process
from tests.docker_machine_store import DockerMachineStore
from tests.stack_outputs import outputs

HEADER = ("NAME", "DRIVER", "STACK", "LOGIN", "CERTIFICATES END", "NOTES")
KEYS = [(f"{part}.pem", part) for part in ("ca", "cert", "key")]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with machines of many kinds; a year of its certificates is left."""
    folder = tmp_path_factory.mktemp("docker-machine")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    store = DockerMachineStore(folder / "store", days=365)
    store.add("cloud", "192.0.2.10", key, "amazonec2", SSHUser="ubuntu", InstanceId="i-0abc")
    store.add("azure", "192.0.2.11", key, "azure", SSHUser="", DockerPort=2377)
    store.add("box", "192.0.2.12", None, SSHPort=2222, SSHUser="deploy", EnginePort=2378, SSHKeyPath="", SSHKey="")
    store.add("local", "192.168.99.100", key, "virtualbox", SSHPort=55022, SSHUser="docker")
    store.add("nowhere", "", key, "google")
    store.add("url", "", None, "none", URL="tcp://192.0.2.99:2376")
    store.add("twin", "192.0.2.10", key, "amazonec2")
    (store.add("broken", "192.0.2.13", key) / "config.json").write_text("{")
    (store.add("bare", "192.0.2.14", key, "digitalocean") / "id_rsa").unlink()
    for name, changes in (("future", {"ConfigVersion": 4}), ("odd", {"HostOptions": {}})):
        file = store.add(name, "192.0.2.15", key) / "config.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    (store.add("garbled", "192.0.2.16", key) / "ca.pem").write_text("no certificate")
    return store.folder


@pytest.fixture
def store(made: Path, mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same for one test, moved to where its own absolute paths lead nowhere."""
    monkeypatch.setenv("MACHINE_STORAGE_PATH", str(mctl_home.parent / "moved"))
    return Path(shutil.copytree(made, mctl_home.parent / "moved"))


@pytest.fixture
def mctl() -> Run:
    return as_process


def rows(ran: Ran) -> dict[str, dict[str, object]]:
    return {row["name"]: row for row in json.loads(ran.out)}


def test_each_machine_is_shown_as_it_would_be_taken_over(mctl: Run, store: Path) -> None:
    ran = mctl("import", "cloud", "azure", "box", "local", "--dry-run", "--json")
    assert (ran.code, ran.err) == (0, "")
    shown = rows(ran)
    assert [(row["login"], row["docker_url"]) for row in shown.values()] == [
        ("ubuntu@192.0.2.10:22", "tcp://192.0.2.10:2376"),
        ("docker-user@192.0.2.11:22", "tcp://192.0.2.11:2377"),
        ("deploy@192.0.2.12:2222", "tcp://192.0.2.12:2378"),
        ("docker@192.168.99.100:22", "tcp://192.168.99.100:2376"),
    ]
    assert shown["cloud"]["notes"] == [
        "its host stays with amazonec2: start, stop and delete it there; mctl rm forgets it"
    ]
    assert shown["box"]["notes"] == []
    end = datetime.fromisoformat(str(shown["box"]["certificates_end"]))
    assert abs(end - datetime.now(UTC) - timedelta(days=365)) < timedelta(hours=1)


def test_a_machine_is_one_line(mctl: Run, store: Path) -> None:
    ran = mctl("import", "box", "--dry-run")
    end = str(rows(mctl("import", "box", "--dry-run", "--json"))["box"]["certificates_end"])[:10]
    assert ran == (
        0,
        "NAME   DRIVER    STACK   LOGIN                    CERTIFICATES END   NOTES\n"
        f"box    generic   box     deploy@192.0.2.12:2222   {end}\n",
        "",
    )


def test_all_machines_are_looked_at_whatever_ails_some(mctl: Run, store: Path) -> None:
    ran = mctl("import", "--dry-run", "--json")
    failed = {name: row["error"] for name, row in rows(ran).items() if "error" in row}
    assert list(rows(ran)) == sorted(rows(ran))
    assert failed == {
        "bare": f"{store}/machines/bare/config.json can't be read: its SSH key id_rsa is missing",
        "broken": f"{store}/machines/broken/config.json can't be read: "
        "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        "future": f"{store}/machines/future/config.json can't be read: it is of version 4, and version 3 can be read",
        "garbled": 'the store has no readable certificates of machine "garbled"',
        "nowhere": 'machine "nowhere" has no address in the store',
        "odd": f"{store}/machines/odd/config.json can't be read: 'EngineOptions' is missing",
        "twin": 'machine "twin" is on the host of machine "cloud"',
        "url": 'machine "url" has the driver none: there is no host to log in to',
    }
    assert ran.code == 1, "that of the first failure"


def test_an_unknown_machine_exits_4(mctl: Run, store: Path) -> None:
    assert mctl("import", "nope") == (
        4,
        "",
        f'Error: there is no machine "nope" in {store}\n  hint: mctl import --dry-run\n',
    )


def test_a_machine_without_a_host_exits_3_and_says_the_way(mctl: Run, store: Path) -> None:
    assert mctl("import", "url") == (
        3,
        "",
        'Error: machine "url" has the driver none: there is no host to log in to\n'
        "  hint: take its host over by its address: mctl import url --generic-ip-address ADDRESS\n",
    )
    assert mctl("import", "nowhere") == (
        3,
        "",
        'Error: machine "nowhere" has no address in the store\n'
        "  hint: start it with docker-machine start nowhere, then import it\n",
    )


def test_a_name_that_is_a_machines_already_is_refused(mctl: Run, store: Path, mctl_home: Path) -> None:
    records.save(outputs("cloud"), stack="cloud", project=str(mctl_home))
    assert mctl("import", "cloud") == (
        1,
        "",
        'Error: machine "cloud" already exists\n  hint: choose another name, or remove it: mctl rm cloud\n',
    )


def test_certificates_that_end_soon_are_named_with_what_renews_them(mctl: Run, mctl_home: Path, made: Path) -> None:
    store = DockerMachineStore(mctl_home.parent / "soon", days=20)
    store.add("box", "192.0.2.7", made.parent / "key")
    ran = mctl("import", "--from", str(store.folder), "--dry-run", "--json")
    end = datetime.now(UTC) + timedelta(days=20)
    assert rows(ran)["box"]["notes"] == [
        f"its certificates end on {end:%Y-%m-%d}: mctl regenerate-certs box renews them over SSH"
    ]


def test_an_empty_store_and_none_are_told_apart(mctl: Run, mctl_home: Path) -> None:
    empty = mctl_home.parent / "empty"
    assert mctl("import", "--from", str(empty)) == (
        4,
        "",
        f"Error: there is no folder {empty} to import from\n  hint: mctl import --from FOLDER\n",
    )
    empty.mkdir()
    assert mctl("import", "--from", str(empty)) == (
        4,
        "",
        f"Error: there is no machine to import in {empty}\n  hint: mctl import --from FOLDER\n",
    )


def test_a_host_by_address_needs_one_name(mctl: Run, mctl_home: Path) -> None:
    assert mctl("import", "--generic-ip-address", "192.0.2.7") == (
        2,
        "",
        "Error: a host needs one name\n  hint: mctl import NAME --generic-ip-address ADDRESS\n",
    )
