"""Reaching and logging in to a real sshd."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests import sshd
from tests.sshd import Sshd, free_port, make_key
from tests.unit.infra.plugins.command_calls import REMOTE, Engine, connection, create
from tests.unit.infra.plugins.replay import CallError

AUTH_FAILED = "after 2 failed attempts: ssh: handshake failed: ssh: unable to authenticate, attempted methods"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with sshd.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def say_hi(to: dict[str, Any], engine: Engine | None = None, timeout: float = 60) -> str:
    return str(create(REMOTE, {"connection": to, "create": "echo hi"}, engine, timeout)["stdout"])


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    """Run OpenSSH's agent with these keys: where it listens."""
    path = str(folder / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    try:
        while not Path(path).exists():
            time.sleep(0.01)
        for key in keys:
            subprocess.run(["ssh-add", "-q", str(key)], env=os.environ | {"SSH_AUTH_SOCK": path}, check=True)
        yield path
    finally:
        process.terminate()
        process.wait(5)


def test_a_pinned_host_key_connects_and_its_comment_does_not_matter(server: Sshd) -> None:
    assert say_hi(connection(server, hostKey=f"{server.host_key} root@web-1")) == "hi"


def test_without_a_host_key_any_is_taken(server: Sshd) -> None:
    assert say_hi(connection(server, hostKey=None)) == "hi"


def test_the_pinned_host_key_is_asked_for_where_the_host_has_several(tmp_path: Path) -> None:
    other = tmp_path / "ecdsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(other)], check=True)
    with sshd.running(tmp_path, f"HostKey {other}") as server:
        assert say_hi(connection(server)) == "hi"


def test_a_wrong_host_key_is_refused_and_nothing_is_sent(server: Sshd, tmp_path: Path) -> None:
    _, other = make_key(tmp_path / "other")
    before = server.accepted
    with pytest.raises(CallError, match="after 2 failed attempts: ssh: handshake failed: ssh: host key mismatch"):
        say_hi(connection(server, hostKey=other))
    assert server.accepted == before


def test_a_host_key_of_a_kind_that_the_host_lacks_is_a_mismatch(server: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "ecdsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", str(key)], check=True)
    with pytest.raises(CallError, match="ssh: host key mismatch"):
        say_hi(connection(server, hostKey=(tmp_path / "ecdsa.pub").read_text()))


def test_a_host_key_that_is_none_fails_at_once(server: Sshd) -> None:
    with pytest.raises(CallError, match="hostKey is not one line"):
        say_hi(connection(server, hostKey="nonsense", dialErrorLimit=-1))


def test_an_encrypted_private_key_opens_with_its_password_only(server: Sshd, tmp_path: Path) -> None:
    private, public = make_key(tmp_path / "key", passphrase="open sesame")
    with (server.folder / "authorized_keys").open("a") as authorized:
        authorized.write(f"{public}\n")
    assert say_hi(connection(server, privateKey=private, privateKeyPassword="open sesame")) == "hi"
    with pytest.raises(CallError, match="privateKeyPassword doesn't open privateKey: Incorrect passphrase"):
        say_hi(connection(server, privateKey=private, privateKeyPassword="guess"))
    with pytest.raises(CallError, match="private key is passphrase protected"):
        say_hi(connection(server, privateKey=private))


def test_an_rsa_key_in_pem_format_logs_in(server: Sshd, tmp_path: Path) -> None:
    key = tmp_path / "rsa"
    subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", "PEM", "-N", "", "-f", str(key)], check=True)
    with (server.folder / "authorized_keys").open("a") as authorized:
        authorized.write((tmp_path / "rsa.pub").read_text())
    assert say_hi(connection(server, privateKey=key.read_text())) == "hi"


def test_a_key_that_the_host_does_not_know_is_refused(server: Sshd, tmp_path: Path) -> None:
    private, _ = make_key(tmp_path / "stranger")
    with pytest.raises(CallError) as raised:
        say_hi(connection(server, privateKey=private))
    assert raised.value.details == f"{AUTH_FAILED} [none publickey], no supported methods remain"


def test_without_key_password_or_agent_nothing_is_tried(server: Sshd) -> None:
    with pytest.raises(CallError) as raised:
        say_hi(connection(server, privateKey=None))
    assert raised.value.details == f"{AUTH_FAILED} [none], no supported methods remain"


def test_an_agent_logs_in(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with agent(tmp_path, server.folder / "user") as path:
        assert say_hi(connection(server, privateKey=None, agentSocketPath=path)) == "hi"
        monkeypatch.setenv("SSH_AUTH_SOCK", path)
        assert say_hi(connection(server, privateKey=None)) == "hi"


def test_a_dead_agent_matters_only_where_nothing_else_logs_in(server: Sshd, tmp_path: Path) -> None:
    dead = str(tmp_path / "dead")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(dead)
    assert say_hi(connection(server, agentSocketPath=dead)) == "hi"
    with pytest.raises(CallError, match=f"the SSH agent at {dead} does not answer"):
        say_hi(connection(server, privateKey=None, agentSocketPath=dead))


def test_a_refused_port_fails_after_the_limit_with_the_reason(server: Sshd) -> None:
    port = free_port()
    engine = Engine()
    before = time.monotonic()
    with pytest.raises(
        CallError,
        match=f"^StatusCode.UNKNOWN: after 3 failed attempts: dial tcp 127.0.0.1:{port}: connect: connection refused$",
    ):
        say_hi(connection(server, port=port, dialErrorLimit=3), engine)
    assert time.monotonic() - before < 2
    assert engine.lines[0].startswith("Dial 1/3 failed: retrying: ")


def test_a_host_that_comes_up_late_is_reached_soon(tmp_path: Path) -> None:
    server = Sshd(tmp_path)
    server.start()
    server.stop()
    starting = threading.Timer(3, server.start)
    starting.start()
    try:
        before = time.monotonic()
        assert say_hi(connection(server, dialErrorLimit=-1)) == "hi"
        assert time.monotonic() - before < 6
    finally:
        starting.join()
        server.stop()


def test_the_timeout_bounds_endless_dialing_and_names_the_last_failure(server: Sshd) -> None:
    with pytest.raises(CallError, match=r"timed out after 1s: dial tcp .*connection refused: running \"echo hi\""):
        say_hi(connection(server, port=free_port(), dialErrorLimit=-1), timeout=1)


def test_a_host_that_takes_connections_but_never_greets_is_given_up(server: Sshd) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(CallError, match=f"after 0 failed attempts: dial tcp 127.0.0.1:{port}: i/o timeout"):
            say_hi(connection(server, port=port, dialErrorLimit=0, perDialTimeout=1), timeout=10)


def test_a_host_name_that_is_none_is_named(server: Sshd) -> None:
    with pytest.raises(CallError, match=r"dial tcp: lookup nowhere\.invalid"):
        say_hi(connection(server, host="nowhere.invalid", dialErrorLimit=0))


def test_a_proxy_is_gone_through_and_both_host_keys_count(server: Sshd, tmp_path: Path) -> None:
    with sshd.running(tmp_path / "proxy") as proxy:
        through = connection(proxy)
        assert say_hi(connection(server, proxy=through)) == "hi"
        assert proxy.accepted == 1
        with pytest.raises(CallError, match="ssh: host key mismatch"):
            say_hi(connection(server, proxy=through | {"hostKey": server.host_key}))
        with pytest.raises(CallError, match="after 1 failed attempts: ssh: rejected: "):
            say_hi(connection(server, port=free_port(), dialErrorLimit=1, proxy=through))


def test_a_proxy_that_dies_between_tries_is_dialed_again(tmp_path: Path) -> None:
    target, proxy = Sshd(tmp_path / "target"), Sshd(tmp_path / "proxy")
    target.start()
    target.stop()
    proxy.start()
    engine = Engine()

    def revive(_line: str) -> None:
        if len(engine.lines) == 2:
            proxy.stop()
            proxy.start()
            target.start()

    engine.heard = revive
    try:
        to = connection(target, dialErrorLimit=20, proxy=connection(proxy, dialErrorLimit=20))
        assert say_hi(to, engine) == "hi"
        assert proxy.accepted == 2
    finally:
        proxy.stop()
        target.stop()


def test_the_users_ssh_configuration_is_not_read(server: Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "config").write_text("Host *\n  User nobody\n  Port 1\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert say_hi(connection(server)) == "hi"


def test_no_secret_is_logged_or_shown(server: Sshd) -> None:
    engine = Engine()
    with pytest.raises(CallError) as raised:
        say_hi(connection(server, privateKey=None, password="hunter2"), engine)
    assert "hunter2" not in raised.value.details + "".join(engine.lines)
    assert say_hi(connection(server)) == "hi"
