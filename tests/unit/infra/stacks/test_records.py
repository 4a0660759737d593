import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.errors import NotFoundError, RecordError
from infra.stacks import config_json, records
from tests.certificates import DAYS, Authority
from tests.cli_runner import mctl_home
from tests.stack_outputs import HOST_KEY, outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")


def save(name: str, **changes: object) -> records.Record:
    return records.save(outputs(name, **changes), stack="prod", project="/project")


def contents(name: str) -> dict[str, str]:
    return {file.name: file.read_text() for file in Path(records.folder(name)).iterdir()}


def test_a_saved_machine_is_a_private_folder_with_what_clients_want(mctl_home: Path) -> None:
    record = save("web-1", engine={"storage_driver": "overlay2"}, tls_sans=["db.example"])
    files = contents("web-1")
    facts = json.loads(files.pop("machine.json"))
    assert json.loads(files.pop("config.json")) == {**config_json.shape(record), "Stack": "prod"}
    assert files == {
        "ca.pem": "the CA\n",
        "cert.pem": "the client's certificate\n",
        "key.pem": "the client's key\n",
        "id_ed25519": "the SSH key\n",
        "known_hosts": f"192.0.2.7 {HOST_KEY}\n",
        "ssh_config": (
            "Host web-1\n  HostName 192.0.2.7\n  Port 22\n  User debian\n"
            f'  UserKnownHostsFile "{record.folder}/known_hosts"\n  GlobalKnownHostsFile none\n'
            "  StrictHostKeyChecking yes\n  UpdateHostKeys no\n  ConnectTimeout 10\n"
            f'  IdentityFile "{record.folder}/id_ed25519"\n  IdentitiesOnly yes\n'
        ),
    }
    assert facts == {
        "version": 1,
        "name": "web-1",
        "stack": "prod",
        "project": "/project",
        "provider": "generic",
        "instance_id": "web-1-id",
        "address": "192.0.2.7",
        "private_address": "10.0.0.7",
        "ssh_user": "debian",
        "ssh_port": 22,
        "docker_url": "tcp://192.0.2.7:2376",
        "engine_version": "27.3.1",
        "certificate_expiry": "2031-01-02T03:04:05Z",
        "ssh_host_key": HOST_KEY,
        "ssh_proxy_jump": "",
        "ssh_proxy_host_key": "",
        "labels": {"tier": "web"},
        "running": True,
        "created": record.created,
        "state_file": "",
        "state_time": 0,
        "client_expiry": "",
        "ca_expiry": "",
        "engine": {"storage_driver": "overlay2"},
        "tls_sans": ["db.example"],
        "swarm": "",
    }
    folder = Path(records.folder("web-1"))
    assert folder == mctl_home / "machines" / "web-1"
    assert {oct(file.stat().st_mode & 0o777) for file in folder.iterdir()} == {"0o600"}
    assert [oct(path.stat().st_mode & 0o777) for path in (folder, folder.parent, mctl_home)] == ["0o700"] * 3
    assert os.listdir(folder.parent) == ["web-1"]


def test_load_gives_what_was_saved() -> None:
    saved = save("web-1", running=False)
    loaded = records.load("web-1")
    assert loaded.facts() == saved.facts()
    assert loaded.running is False
    assert loaded.ssh_key == os.path.join(records.folder("web-1"), "id_ed25519")


def test_a_record_of_before_a_fact_was_kept_has_its_default() -> None:
    save("web-1", engine={"storage_driver": "overlay2"})
    file = Path(records.folder("web-1"), "machine.json")
    facts = json.loads(file.read_text())
    del facts["engine"], facts["client_expiry"]
    file.write_text(json.dumps(facts))
    assert records.load("web-1").facts() == facts | {"engine": {}, "client_expiry": ""}


def test_a_record_knows_when_the_certificates_of_the_client_and_of_the_authority_end() -> None:
    authority = Authority()
    record = save("web-1", ca_cert=authority.cert, client_cert=authority.client().cert)
    expected = datetime.now(UTC) + timedelta(days=DAYS)
    for end in (record.client_expiry, record.ca_expiry):
        assert abs(expected - datetime.fromisoformat(end)) < timedelta(minutes=1)


def test_a_record_is_old_once_the_stack_state_has_changed(tmp_path: Path) -> None:
    state = tmp_path / "prod.json"
    state.write_text("{}")
    os.utime(state, ns=(1, 10))
    record = records.save(
        outputs("web-1"), stack="prod", project="/project", state=(str(state), records.changed(str(state)))
    )
    assert not record.is_old
    os.utime(state, ns=(1, 11))
    assert records.load("web-1").is_old
    state.unlink()
    assert records.load("web-1").is_old


def test_a_record_of_a_stack_that_no_file_holds_is_never_old() -> None:
    assert not save("web-1").is_old


def test_the_machines_of_one_stack_are_told_from_others() -> None:
    save("web-2")
    save("web-10")
    records.save(outputs("db"), stack="other", project="/project")
    records.save(outputs("same"), stack="prod", project="/elsewhere")
    assert records.of_stack("prod", "/project") == ["web-2", "web-10"]


def test_a_machine_without_an_own_ssh_key_has_no_key_file() -> None:
    assert save("box", ssh_private_key=None).ssh_key is None
    assert "id_ed25519" not in contents("box")


def test_an_ssh_key_that_the_machine_no_longer_has_goes_away() -> None:
    save("box")
    save("box", ssh_private_key=None)
    assert "id_ed25519" not in contents("box")


@pytest.mark.parametrize(
    ("address", "port", "host"),
    [
        ("192.0.2.7", 22, "192.0.2.7"),
        ("127.0.0.1", 2222, "[127.0.0.1]:2222"),
        ("2001:db8::7", 22, "2001:db8::7"),
        ("2001:db8::7", 2222, "[2001:db8::7]:2222"),
    ],
)
def test_ssh_finds_the_pinned_host_key(address: str, port: int, host: str) -> None:
    record = save("web-1", address=address, ssh_port=port)
    file = Path(record.folder, "known_hosts")
    assert file.read_text() == f"{host} {HOST_KEY}\n"
    found = subprocess.run(["ssh-keygen", "-F", host, "-f", str(file)], capture_output=True, text=True, check=False)
    assert found.stdout.splitlines()[-1:] == [f"{host} {HOST_KEY}"]


def test_a_bastions_host_key_is_pinned_beside_the_machines_and_its_own_key_is_kept() -> None:
    record = save(
        "web-1",
        ssh_proxy_jump="me@bastion.example:2222",
        ssh_proxy_host_key="ssh-ed25519 BASTION",
        ssh_proxy_private_key="the bastion's key",
    )
    files = contents("web-1")
    assert files["known_hosts"] == f"192.0.2.7 {HOST_KEY}\n[bastion.example]:2222 ssh-ed25519 BASTION\n"
    assert files["id_proxy"] == "the bastion's key\n"
    assert records.load("web-1").ssh_proxy_key == f"{record.folder}/id_proxy"
    save("web-1")
    assert "id_proxy" not in contents("web-1")


def test_a_record_from_before_bastions_were_known_loads() -> None:
    file = Path(save("web-1").folder, "machine.json")
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({key: value for key, value in facts.items() if not key.startswith("ssh_proxy")}))
    assert records.load("web-1").facts() == facts


def test_saving_the_same_again_touches_no_file() -> None:
    save("web-1")
    before = {file.name: file.stat().st_ino for file in Path(records.folder("web-1")).iterdir()}
    save("web-1")
    assert {file.name: file.stat().st_ino for file in Path(records.folder("web-1")).iterdir()} == before


def test_saving_a_new_address_replaces_only_the_files_that_name_it() -> None:
    created = save("web-1").created
    before = {file.name: file.stat().st_ino for file in Path(records.folder("web-1")).iterdir()}
    save("web-1", address="192.0.2.8", docker_url="tcp://192.0.2.8:2376")
    after = {file.name: file.stat().st_ino for file in Path(records.folder("web-1")).iterdir()}
    changed = {*("machine.json", "config.json", "known_hosts", "ssh_config")}
    assert {name for name in before if before[name] != after[name]} == changed
    assert records.load("web-1").created == created


def test_what_has_begun_is_there_to_remove_and_is_no_record_yet() -> None:
    records.begin("web-1", provider="qemu", stack="prod", project="/project")
    assert (records.is_begun("web-1"), records.exists("web-1"), records.names()) == (True, False, [])
    assert records.has_folder("web-1")
    assert set(contents("web-1")) == {"config.json"}
    config = json.loads(contents("web-1")["config.json"])
    assert (config["Name"], config["DriverName"], config["Driver"]["IPAddress"]) == ("web-1", "qemu", "")
    save("web-1")
    assert (records.is_begun("web-1"), records.exists("web-1")) == (False, True)
    assert json.loads(contents("web-1")["config.json"])["Driver"]["IPAddress"] == "192.0.2.7"


def test_a_folder_of_docker_machine_is_told_from_ours(mctl_home: Path) -> None:
    save("web-1")
    records.begin("web-2", provider="qemu", stack="prod", project="/project")
    theirs = mctl_home / "machines" / "old"
    theirs.mkdir()
    (theirs / "config.json").write_text("{}")
    assert records.foreign() == ["old"]
    assert not records.has_folder("old")
    with pytest.raises(RecordError) as error:
        records.load("old")
    assert (error.value.message, error.value.mend) == (
        "machine \"old\" is docker-machine's, and not mctl's yet",
        "mctl import old",
    )


def test_a_machine_that_was_taken_over_keeps_docker_machines_own_config(mctl_home: Path) -> None:
    theirs = mctl_home / "machines" / "old"
    theirs.mkdir(parents=True)
    (theirs / "config.json").write_text('{"Name": "old"}')
    save("old")
    assert (records.exists("old"), records.is_foreign("old")) == (True, False)
    assert (theirs / "config.json").read_text() == '{"Name": "old"}'
    records.remove("old")
    assert [file.name for file in theirs.iterdir()] == ["config.json"]


def test_a_key_that_others_may_read_is_made_private_again() -> None:
    save("web-1")
    key = Path(records.folder("web-1"), "key.pem")
    key.chmod(0o644)
    save("web-1")
    assert oct(key.stat().st_mode & 0o777) == "0o600"


def test_names_are_in_natural_order_and_half_made_folders_are_none(mctl_home: Path) -> None:
    for name in ("web-10", "web-2", "Web-3", "db", "7", "web-2.a"):
        save(name)
    (mctl_home / "machines" / ".web-9~1").mkdir()
    (mctl_home / "machines" / "empty").mkdir()
    assert records.names() == ["7", "db", "web-2", "web-2.a", "Web-3", "web-10"]


@pytest.mark.parametrize("name", ["nope", "../home", "/etc", "", ".", "..", ".hidden", "a/b", "ä"])
def test_loading_what_is_not_there_says_so(name: str) -> None:
    with pytest.raises(NotFoundError) as error:
        records.load(name)
    assert error.value.message == f'machine "{name}" does not exist'
    assert error.value.mend == f"mctl ls, or mctl create {name}"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ('{"name": "we', "Unterminated string starting at: line 1 column 10 (char 9)"),
        ("[]", "machine.json holds no object"),
        ("{}", "'version' is missing"),
        ('{"version": 2}', "it is of version 2, and this mctl reads version 1"),
        ('{"version": 1, "name": "db"}', "it is that of machine 'db'"),
        ('{"version": 1, "name": "web-1"}', "'stack' is missing"),
        ('{"version": 1, "name": "web-1", "stack": 5}', "stack is 5"),
    ],
)
def test_a_damaged_record_is_named_with_what_mends_it(text: str, reason: str) -> None:
    save("web-1")
    Path(records.folder("web-1"), "machine.json").write_text(text)
    with pytest.raises(RecordError) as error:
        records.load("web-1")
    assert error.value.message == f'the record of machine "web-1" can\'t be read: {reason}'
    assert error.value.mend == "mctl refresh web-1"


def test_a_damaged_record_is_mended_by_saving() -> None:
    save("web-1")
    Path(records.folder("web-1"), "machine.json").write_text("{")
    save("web-1")
    assert records.load("web-1").address == "192.0.2.7"


def test_facts_of_a_newer_mctl_are_passed_over() -> None:
    save("web-1")
    file = Path(records.folder("web-1"), "machine.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"colour": "green"}))
    assert records.load("web-1").name == "web-1"


@pytest.mark.parametrize(
    ("changes", "reason"), [({"address": None}, "address is None"), ({"client_key": {}}, "client_key is no text")]
)
def test_outputs_that_are_no_machine_write_nothing(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(RecordError) as error:
        save("web-1", **changes)
    assert error.value.message == f'the outputs of stack prod make no record of machine "web-1": {reason}'
    assert error.value.mend == "mctl up prod"
    assert records.names() == []


def test_a_record_that_cannot_be_written_says_where(mctl_home: Path) -> None:
    save("db")
    blocked = mctl_home / "machines" / "web-1"
    blocked.write_text("a file, not a folder")
    with pytest.raises(RecordError) as error:
        save("web-1")
    assert error.value.message.startswith('the record of machine "web-1" can\'t be written: [Errno 20]')
    assert error.value.mend == f"make room or rights in {mctl_home / 'machines'}, then mctl refresh web-1"
    assert sorted(os.listdir(mctl_home / "machines")) == ["db", "web-1"]


def test_remove_leaves_nothing_and_may_be_repeated(mctl_home: Path) -> None:
    save("web-1")
    records.remove("web-1")
    records.remove("web-1")
    records.remove("../home")
    assert os.listdir(mctl_home / "machines") == []


def test_remove_leaves_what_others_keep_beside_a_record(mctl_home: Path) -> None:
    save("web-1")
    folder = mctl_home / "machines" / "web-1"
    (folder / "config.json").write_text("docker-machine's")
    records.remove("web-1")
    assert not records.exists("web-1")
    assert [file.name for file in folder.iterdir()] == ["config.json"]


def test_what_a_killed_run_left_half_written_is_cleared(mctl_home: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    machines = mctl_home / "machines"
    save("web-1")
    (machines / f".web-1~{dead.pid}").mkdir()
    (machines / "web-1" / f"key.pem~{dead.pid}").write_text("half a key")
    (machines / f".web-1~{os.getppid()}").mkdir()
    (machines / f".web-10~{dead.pid}").mkdir()
    save("web-1")
    assert sorted(os.listdir(machines)) == sorted([f".web-1~{os.getppid()}", f".web-10~{dead.pid}", "web-1"])
    assert f"key.pem~{dead.pid}" not in contents("web-1")


def test_a_run_killed_before_the_rename_leaves_no_machine(mctl_home: Path) -> None:
    script = (
        "import os, signal\n"
        "from infra.stacks import records\n"
        "from tests.stack_outputs import outputs\n"
        "os.rename = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)\n"
        "records.save(outputs('web-1'), stack='prod', project='/project')\n"
    )
    root = Path(records.__file__).parents[2]
    killed = subprocess.run([sys.executable, "-c", script], cwd=root, check=False)
    assert killed.returncode == -9
    assert records.names() == []
    save("web-1")
    assert os.listdir(mctl_home / "machines") == ["web-1"]


def test_readers_never_see_half_a_record() -> None:
    save("web-1", labels={"filler": "x" * 200_000})
    done = threading.Event()
    seen: set[str] = set()
    failures: list[Exception] = []

    def read() -> None:
        while not done.is_set():
            try:
                seen.add(records.load("web-1").address)
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(60):
        save("web-1", address=f"192.0.2.{number % 2}", labels={"filler": str(number % 10) * 200_000})
    done.set()
    reader.join()
    assert failures == []
    assert seen <= {"192.0.2.0", "192.0.2.1", "192.0.2.7"}


def test_reading_imports_next_to_nothing() -> None:
    save("web-1")
    script = "import sys; from infra.stacks import records; records.load('web-1'); print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"dataclasses", "inspect", "pathlib", "typing", "tempfile", "shutil", "psutil", "pulumi", "typer"}
    assert heavy.isdisjoint(modules)
