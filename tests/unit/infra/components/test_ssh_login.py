"""Logging in to a host that is there, before anything is made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from infra.components import ssh_login
from infra.components.ssh_login import Login
from infra.errors import PreCreateError
from tests.sshd import Sshd


def login(server: Sshd) -> Login:
    return Login(
        machine="web",
        user=server.user,
        host="127.0.0.1",
        port=server.port,
        key=str(server.folder / "user"),
        host_key=server.host_key,
        key_option="--generic-ssh-key",
        host_key_option="--ssh-host-key",
    )


def test_a_server_that_starts_again_is_waited_for(tmp_path: Path) -> None:
    server = Sshd(tmp_path / "sshd")
    server.start()
    known = login(server)
    server.stop()
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(ssh_login, "REFUSED_WAITS", (0,))
        with pytest.raises(PreCreateError, match=r"Connection refused$"):
            ssh_login.ask(known, "true")
    again = threading.Timer(0.5, server.start)
    again.start()
    try:
        assert ssh_login.ask(known, "echo here") == "here"
    finally:
        again.join()
        server.stop()
