"""A real OpenSSH server on a free loopback port, with keys and configuration of its own in one folder."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

PRIVILEGE_SEPARATION = Path("/run/sshd")


@dataclass
class Sshd:
    """One server. private_key: a key that it takes for `user`. host_key: its public key, `ssh-ed25519 AAAA…`.

    options: further lines of sshd_config; they go first, so they win.
    """

    folder: Path
    options: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    user: str = field(default_factory=getpass.getuser)
    port: int = 0
    private_key: str = ""
    host_key: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make keys, if there are none yet, and serve; on the same port as the last time."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.private_key, user_public_key = make_key(self.folder / "user")
        _, self.host_key = make_key(self.folder / "host")
        (self.folder / "authorized_keys").write_text(f"{user_public_key}\n")
        self.port = self.port or free_port()
        (self.folder / "sshd_config").write_text("\n".join(self._config()) + "\n")
        if os.geteuid() == 0:
            PRIVILEGE_SEPARATION.mkdir(mode=0o755, exist_ok=True)
        with (self.folder / "log").open("ab") as log:
            program = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ["PATH"])
            assert program, "OpenSSH's sshd is not installed: apt-get install openssh-server"
            self._process = subprocess.Popen(
                [program, "-D", "-e", "-f", str(self.folder / "sshd_config")],
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server and every session."""
        if self._process is None:
            return
        for child in self._sessions():
            _kill(child)
        _kill(self._process.pid)
        self._process.wait(10)
        self._process = None

    def pause(self) -> None:
        """Make every session deaf: what a lost network looks like."""
        for child in self._sessions():
            os.kill(child, signal.SIGSTOP)

    @property
    def log(self) -> list[str]:
        """Give the server's log lines so far."""
        return (self.folder / "log").read_text(errors="replace").splitlines()

    @property
    def accepted(self) -> int:
        """Count the logins that succeeded."""
        return sum(" from " in line for line in self.log if line.startswith("Accepted "))

    @property
    def open_sessions(self) -> int:
        """Count the connections that are open now."""
        return len(self._sessions())

    def _config(self) -> list[str]:
        return [
            *self.options,
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            f"HostKey {self.folder / 'host'}",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            f"PidFile {self.folder / 'pid'}",
            "PermitRootLogin prohibit-password",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "StrictModes no",
            "UsePAM no",
            "MaxStartups 100",
            "AllowTcpForwarding yes",
            "Subsystem sftp internal-sftp",
            "LogLevel VERBOSE",
        ]

    def _wait(self) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((self.host, self.port)) == 0:
                    return
            assert self._process and self._process.poll() is None, "\n".join(self.log)
            time.sleep(0.02)
        raise AssertionError("sshd does not listen:\n" + "\n".join(self.log))

    def _sessions(self) -> list[int]:
        return _descendants(self._process.pid) if self._process else []


def make_key(path: Path, passphrase: str = "") -> tuple[str, str]:
    """Make an Ed25519 key pair, unless it is there: the private key's text and the public key without comment."""
    if not path.exists():
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-C", "", "-f", str(path)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    return path.read_text(), path.with_suffix(".pub").read_text().strip()


def free_port() -> int:
    """Find a loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Sshd]:
    """Serve within a `with` block."""
    server = Sshd(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _descendants(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], check=True, capture_output=True, text=True).stdout
    children: dict[int, list[int]] = {}
    for line in listed.splitlines():
        child, parent = map(int, line.split())
        children.setdefault(parent, []).append(child)
    found, waiting = [], [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
