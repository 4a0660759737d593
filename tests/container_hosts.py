"""Hosts for tests: Debian 12 in a container, with systemd, sshd, apt, and Docker to be installed or installed already.

Users: `root`, `deploy` (sudo without a password) and `guest` (no sudo); one SSH key opens all three.
"""

from __future__ import annotations

import io
import socket
import subprocess
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests import container_daemon
from tests.container_daemon import docker

BOOT_SECONDS = 60
# --privileged would ask for CAP_SYS_RESOURCE, which a computer that is itself a guest may lack.
RUN = [
    *("--tty", "--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"),
    *("--stop-signal", "SIGRTMIN+3"),  # systemd takes the usual SIGTERM for "start yourself anew"
    *("--security-opt", "seccomp=unconfined", "--security-opt", "apparmor=unconfined"),
    *("--cgroupns", "host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--env", "container=docker"),
    *("--tmpfs", "/run", "--tmpfs", "/tmp:exec", "--volume", "/var/lib/docker", "--volume", "/var/lib/containerd"),
    *("--label", "mctl-test-host"),
]
HOMES = {"root": ("/root", 0), "deploy": ("/home/deploy", 1000), "guest": ("/home/guest", 1001)}


@dataclass(frozen=True)
class ContainerHost:
    """One running host. host_key: `ssh-ed25519 AAAA…`."""

    daemon: str
    container: str
    address: str
    private_key: Path
    host_key: str
    user: str = "root"
    port: int = 22

    def exec(self, script: str, *, check: bool = True) -> str:
        """Run a script as root in the host, past SSH. Raises RuntimeError where it fails."""
        return docker(self.daemon, "exec", self.container, "sh", "-c", script, check=check)

    def ssh(
        self, script: str, *, user: str = "", stdin: str = "", seconds: int = 300
    ) -> subprocess.CompletedProcess[str]:
        """Run a script over SSH as the command plugin does: as the session's command, with the host's key pinned."""
        known_hosts = self.private_key.with_name(f"{self.container}.known_hosts")
        known_hosts.write_text(f"{self.address} {self.host_key}\n")
        command = ["ssh", "-F", "none", "-i", str(self.private_key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
        command += ["-o", f"UserKnownHostsFile={known_hosts}", "-o", "StrictHostKeyChecking=yes", "-p", str(self.port)]
        command += ["-o", "GlobalKnownHostsFile=none", f"{user or self.user}@{self.address}", script]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=seconds, check=False)

    def write(self, path: str, text: str) -> None:
        """Write a file in the host."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1"'
        docker(self.daemon, "exec", "-i", self.container, "sh", "-c", script, "sh", path, stdin=text.encode())


class ContainerHosts:
    """Start hosts, and remove them all at the end. folder: for keys; private to the tests."""

    def __init__(self, daemon: str, folder: Path) -> None:
        self.daemon = daemon
        self._folder = folder
        self._started: list[str] = []
        self.private_key = _keygen(folder / "user")

    def start(self, *, docker_installed: bool = False) -> ContainerHost:
        """Start a host and wait until its sshd answers."""
        image = container_daemon.image(self.daemon, docker=docker_installed)
        name = f"mctl-test-{uuid4().hex[:10]}"
        host_key = _keygen(self._folder / f"{name}-host")
        docker(self.daemon, "create", "--name", name, "--hostname", name, *RUN, image, "/sbin/init")
        self._started.append(name)
        docker(self.daemon, "cp", "--archive", "-", f"{name}:/", stdin=_identity(host_key, self.private_key))
        docker(self.daemon, "start", name)
        address = docker(self.daemon, "inspect", "--format", "{{.NetworkSettings.IPAddress}}", name)
        _await_sshd(address, name)
        kind, key, *_ = host_key.with_suffix(".pub").read_text().split()
        return ContainerHost(self.daemon, name, address, self.private_key, f"{kind} {key}")

    def remove(self, host: ContainerHost) -> None:
        """Remove one host with its volumes."""
        docker(self.daemon, "rm", "--force", "--volumes", host.container, check=False)
        self._started.remove(host.container)

    def remove_all(self) -> None:
        """Remove every host that is left."""
        for name in self._started:
            docker(self.daemon, "rm", "--force", "--volumes", name, check=False)
        self._started.clear()


@contextmanager
def container_hosts(folder: Path) -> Iterator[ContainerHosts]:
    """Give a maker of hosts. Raises NoContainers where this computer can't run any."""
    with container_daemon.daemon() as address:
        hosts = ContainerHosts(address, folder)
        try:
            yield hosts
        finally:
            hosts.remove_all()


def _keygen(path: Path) -> Path:
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "mctl-tests", "-f", str(path)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    return path


def _identity(host_key: Path, user_key: Path) -> bytes:
    """Make the archive that gives a host its key, and its users theirs."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, "etc/ssh/ssh_host_ed25519_key", host_key.read_bytes(), 0o600, 0)
        _add(tar, "etc/ssh/ssh_host_ed25519_key.pub", host_key.with_suffix(".pub").read_bytes(), 0o644, 0)
        for home, uid in HOMES.values():
            folder = tarfile.TarInfo(f"{home[1:]}/.ssh")
            folder.type, folder.mode, folder.uid, folder.gid = tarfile.DIRTYPE, 0o700, uid, uid
            tar.addfile(folder)
            _add(tar, f"{home[1:]}/.ssh/authorized_keys", user_key.with_suffix(".pub").read_bytes(), 0o600, uid)
    return archive.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int, owner: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.uid, member.gid = len(content), mode, owner, owner
    tar.addfile(member, io.BytesIO(content))


def _await_sshd(address: str, name: str) -> None:
    deadline = time.monotonic() + BOOT_SECONDS
    while True:
        try:
            with socket.create_connection((address, 22), timeout=2) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise RuntimeError(f"container host {name} did not start its sshd in {BOOT_SECONDS} s")
        time.sleep(0.1)
