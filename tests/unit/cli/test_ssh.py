import os
import subprocess
from pathlib import Path

import pytest

from infra.stacks import records
from tests.cli_runner import Ran, as_process
from tests.stack_outputs import HOST_KEY, outputs

pytestmark = pytest.mark.usefixtures("mctl_home")


@pytest.fixture
def recorder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put an `ssh` first on PATH that writes its arguments down, one a line, and ends with 7."""
    folder, file = tmp_path / "bin", tmp_path / "arguments"
    folder.mkdir()
    program = folder / "ssh"
    program.write_text(f'#!/bin/sh\nfor a; do printf "%s\\n" "$a"; done > {file}\necho out; echo err >&2\nexit 7\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return file


def save(name: str, **changes: object) -> records.Record:
    return records.save(outputs(name, **changes), stack="prod", project="/project")


def test_ssh_pins_the_host_key_and_uses_the_machines_own_key(recorder: Path) -> None:
    folder = save("web-1", ssh_port=2222).folder
    assert as_process("ssh", "web-1") == Ran(7, "out\n", "err\n")
    assert recorder.read_text().splitlines() == [
        *("-o", "Port=2222", "-o", "User=debian"),
        *("-o", f'UserKnownHostsFile="{folder}/known_hosts"', "-o", "GlobalKnownHostsFile=none"),
        *("-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no", "-o", "ConnectTimeout=10"),
        *("-o", f'IdentityFile="{folder}/id_ed25519"', "-o", "IdentitiesOnly=yes", "192.0.2.7"),
    ]


def test_ssh_leaves_the_choice_of_key_to_the_user_where_the_machine_has_none(recorder: Path) -> None:
    save("web-1", ssh_private_key=None)
    as_process("ssh", "web-1")
    written = recorder.read_text().splitlines()
    assert [line for line in written if line.startswith("Identit")] == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["uptime"],
        ["-L", "8080:localhost:80", "-N"],
        ["--", "ls", "-l", "--json"],
        ["echo", "a  b", "$HOME", "*", "--help", "--debug"],
        ["-h"],
    ],
)
def test_ssh_gets_its_arguments_as_they_are(recorder: Path, arguments: list[str]) -> None:
    save("web-1")
    assert as_process("ssh", "web-1", *arguments).code == 7
    written = recorder.read_text().splitlines()
    assert written[written.index("192.0.2.7") + 1 :] == arguments
    assert as_process("--debug", "ssh", "web-1", *arguments).code == 7
    assert recorder.read_text().splitlines() == written


def test_ssh_alone_goes_to_the_machine_default(recorder: Path) -> None:
    save("default", address="198.51.100.9")
    assert as_process("ssh").code == 7
    assert recorder.read_text().splitlines()[-1] == "198.51.100.9"


def test_the_real_ssh_understands_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "50% of a home"))
    folder = save("web-1", ssh_port=2222).folder
    ran = as_process("ssh", "web-1", "-G")
    assert ran.code == 0
    settings = dict(line.replace("%%", "%").split(" ", 1) for line in ran.out.splitlines())
    wanted = ("hostname", "user", "port", "identitiesonly", "stricthostkeychecking", "updatehostkeys", "identityfile")
    assert {key: settings[key] for key in wanted} == {
        "hostname": "192.0.2.7",
        "user": "debian",
        "port": "2222",
        "identitiesonly": "yes",
        "stricthostkeychecking": "true",
        "updatehostkeys": "false",
        "identityfile": f"{folder}/id_ed25519",
    }
    assert settings["userknownhostsfile"] == f"{folder}/known_hosts"


def test_a_bastion_is_reached_by_a_pinned_ssh_of_its_own(recorder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real ssh runs the recorder for the way through."""
    monkeypatch.setenv("MCTL_HOME", f"{os.environ['MCTL_HOME']} 50%")
    proxy = {"ssh_proxy_jump": "me@bastion.example:2222", "ssh_proxy_host_key": HOST_KEY, "ssh_proxy_private_key": "K"}
    folder = save("web-1", **proxy).folder
    real = next(path for path in ("/usr/bin/ssh", "/usr/local/bin/ssh") if os.path.exists(path))
    subprocess.run([real, "-F", f"{folder}/ssh_config", "web-1"], capture_output=True, check=False)
    escaped = folder.replace("%", "%%")
    assert recorder.read_text().splitlines() == [
        *("-F", "none", "-o", "BatchMode=yes", "-o", f'UserKnownHostsFile="{escaped}/known_hosts"'),
        *("-o", "GlobalKnownHostsFile=none", "-o", "StrictHostKeyChecking=yes", "-o", "UpdateHostKeys=no"),
        *("-o", "ConnectTimeout=10", "-o", f'IdentityFile="{escaped}/id_proxy"', "-o", "IdentitiesOnly=yes"),
        *("-p", "2222", "-l", "me", "-W", "[192.0.2.7]:22", "bastion.example"),
    ]


def test_without_an_ssh_program_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save("web-1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert as_process("ssh", "web-1") == Ran(
        1, "", "Error: there is no ssh program on PATH\n  hint: install openssh-client\n"
    )


def test_a_host_with_another_key_is_refused(tmp_path: Path) -> None:
    """Against a real sshd, whose key is not the recorded one, and then is."""
    sshd = "/usr/sbin/sshd"
    if not os.path.exists(sshd):
        pytest.skip("needs openssh-server")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    port = _free_port()
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {tmp_path}/host\nAuthorizedKeysFile {tmp_path}/user.pub\n"
        "StrictModes no\nUsePAM no\nPidFile none\nPasswordAuthentication no\n"
    )
    os.makedirs("/run/sshd", exist_ok=True)
    server = subprocess.Popen([sshd, "-D", "-f", str(config)], stderr=subprocess.DEVNULL)
    changes = {
        "address": "127.0.0.1",
        "ssh_port": port,
        "ssh_user": _user(),
        "ssh_private_key": (tmp_path / "user").read_text(),
    }
    try:
        save("web-1", **changes)
        refused = _patiently("ssh", "web-1", "true")
        assert refused.code == 255
        assert "Host key verification failed." in refused.err
        kind, key, *_ = (tmp_path / "host.pub").read_text().split()
        save("web-1", ssh_host_key=f"{kind} {key}", **changes)
        assert as_process("ssh", "web-1", "echo hello; exit 42") == Ran(42, "hello\n", "")
    finally:
        server.terminate()
        server.wait()


def _patiently(*arguments: str) -> Ran:
    for _ in range(50):
        ran = as_process(*arguments)
        if "Connection refused" not in ran.err:
            break
    return ran


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def _user() -> str:
    import getpass

    return getpass.getuser()
