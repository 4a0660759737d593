"""How ssh reaches a machine: with its pinned host key, and with its own key where it has one."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from infra.stacks.records import Record

CONNECT_SECONDS = 10


def ssh_command(record: Record) -> list[str]:
    """Give the command line of an ssh that trusts the recorded host key and no other. ssh_config(5)."""
    known_hosts = os.path.join(record.folder, "known_hosts").replace("%", "%%")
    options = {
        "UserKnownHostsFile": f'"{known_hosts}"',
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
    }
    command = ["ssh", "-p", str(record.ssh_port), "-l", record.ssh_user]
    if record.ssh_key:
        options["IdentitiesOnly"] = "yes"
        command += ["-i", record.ssh_key]
    for option, value in options.items():
        command += ["-o", f"{option}={value}"]
    return [*command, record.address]
