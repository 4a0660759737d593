"""Light hosts: one sshd at as many loopback addresses as are asked for, and daemons with the certificates it was given.

The install step is a recording fake: nothing is installed. The configure step's standard input, which holds the
certificates, is kept by host, and daemons are served with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests import sshd

VERSION = "27.3.1"
FAKE = """\
#!/bin/sh
set -- $SSH_CONNECTION
case "$SSH_ORIGINAL_COMMAND" in
*daemon_json*) cat >{folder}/$3.part && mv {folder}/$3.part {folder}/$3 && echo "$3 configure" >>{folder}/log ;;
*) cat >/dev/null; echo "$3 install" >>{folder}/log ;;
esac
{pause}
echo "engine-version: {version}"
"""


class LightHosts:
    """Hosts by number, from 1."""

    def __init__(self, folder: Path, server: sshd.Sshd, engine_port: int) -> None:
        self.folder, self.engine_port, self._server = folder, engine_port, server

    def group(self, count: int, **more: Any) -> dict[str, Any]:
        """Declare a group `web` of the first so many."""
        options = {
            "ssh_user": self._server.user,
            "ssh_port": self._server.port,
            "ssh_key": str(self._server.folder / "user"),
            "engine_port": self.engine_port,
        }
        own = {f"web-{number}": {"options": {"ip_address": address(number)}} for number in range(1, count + 1)}
        shared = {"provider": "generic", "ssh_host_key": self._server.host_key, "options": options}
        return {"count": count, **shared, **more, "machines": own}

    def steps(self, step: str) -> list[str]:
        """List the addresses where a step ran, as often as it did."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split()[0] for line in lines if line.endswith(f" {step}")]

    def certificates(self, number: int, into: Path) -> Path:
        """Write a host's certificates as bench/_daemons.py wants them."""
        given = (self.folder / address(number)).read_text()
        files = dict(re.findall(r"^mctl-file (\S+)\n(.*?)(?=^mctl-file |\Z)", given, re.MULTILINE | re.DOTALL))
        into.mkdir(parents=True, exist_ok=True)
        (into / "server.pem").write_text(files["server.pem"] + files["server-key.pem"])
        (into / "ca.pem").write_text(files["ca.pem"])
        return into


def address(number: int) -> str:
    """Give a host's address."""
    return f"127.1.{number // 200}.{number % 200 + 1}"


@contextmanager
def light_hosts(folder: Path, seconds: float = 0) -> Iterator[LightHosts]:
    """Serve them within a `with` block. seconds: what each step takes."""
    hosts = folder / "hosts"
    hosts.mkdir(parents=True)
    fake = folder / "fake"
    fake.write_text(FAKE.format(folder=hosts, version=VERSION, pause=f"sleep {seconds}" if seconds else ""))
    fake.chmod(0o755)
    server = sshd.Sshd(folder / "sshd", (f"ForceCommand {fake}", "AllowUsers *@127.*"), host="0.0.0.0")
    server.start()
    try:
        yield LightHosts(hosts, server, sshd.free_port())
    finally:
        server.stop()
