"""How ssh reaches a machine: with its pinned host key, with its own key where it has one, and through its bastion."""

from __future__ import annotations

import os

from infra.components.ssh_command import as_arguments, pinned, proxy_command
from infra.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.stacks.records import Record

CONFIG = "ssh_config"


def ssh_command(record: Record, options: dict[str, str] | None = None) -> list[str]:
    """Give the command line of an ssh that trusts the recorded host key and no other.

    options: further ones of ssh_config(5).
    """
    return ["ssh", *as_arguments(_options(record) | (options or {})), record.address]


def settings(record: Record) -> dict[str, str]:
    """Give the same as ssh_config(5) has it under `Host`, quoted as it wants them."""
    # A machine that is switched off may have no address, and ssh reads no file at all with an empty one.
    return ({"HostName": record.address} if record.address else {}) | _options(record)


def host_block(record: Record) -> str:
    """Write the machine's part of an ssh_config(5), nothing where it has no SSH; its alias is the machine's name."""
    if not record.ssh_port:
        return ""
    return f"Host {record.name}\n" + "".join(f"  {key} {value}\n" for key, value in settings(record).items())


def keep_config(record: Record) -> str:
    """Bring the record's own ssh_config up to date, and give its path: a record may be older, or have moved."""
    from infra.stacks import record_files

    require(record)
    record_files.write(record.folder, {CONFIG: host_block(record).encode()})
    return os.path.join(record.folder, CONFIG)


def write_config(known: Iterable[Record]) -> str:
    """Write a file that includes every machine's own ssh_config, and so those of machines to come; give its path.

    known: whose own is brought up to date first.
    """
    from infra.stacks import record_files
    from infra.stacks.home import home

    for record in known:
        if record.ssh_port:
            keep_config(record)
    text = "# Written by mctl. Each machine, as it comes and goes, brings its own part.\n"
    text += f'Include "{os.path.join(home("machines"), "*", CONFIG)}"\n'
    record_files.replace(os.path.join(home(), CONFIG), text.encode())
    return os.path.join(home(), CONFIG)


def require(record: Record) -> None:
    """Raise HostError for a machine that has no SSH."""
    if not record.ssh_port:
        raise HostError(f'there is no SSH to machine "{record.name}", a daemon known by its URL', machine=record.name)


def _options(record: Record) -> dict[str, str]:
    require(record)
    known_hosts = os.path.join(record.folder, "known_hosts")
    options = {"Port": str(record.ssh_port), "User": record.ssh_user, **pinned(known_hosts, record.ssh_key)}
    if record.ssh_proxy_jump:
        from infra.machine import Jump

        jump = Jump.parse(record.ssh_proxy_jump, record.name)
        options["ProxyCommand"] = proxy_command(jump, known_hosts, record.ssh_proxy_key)
    return options
