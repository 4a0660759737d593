"""What this computer keeps of each machine: a folder `$MCTL_HOME/machines/NAME/`.

machine.json (public facts), ca.pem, cert.pem and key.pem (as DOCKER_CERT_PATH wants them), known_hosts, ssh_config,
id_ed25519 where the machine has an SSH key of its own, id_proxy where its bastion has one, and config.json for who
reads docker-machine's store. All files are 0600 in a 0700 folder. A record is a cache of stack outputs: it can always
be written anew. A reader never sees half a file. Reads import next to nothing: they decide how long a prompt waits for
`mctl env`.
"""

from __future__ import annotations

import os

from infra.errors import NotFoundError, RecordError
from infra.stacks.home import home

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from typing import Any

VERSION = 1
DEFAULT = "default"
FACTS = "machine.json"
OWN_KEY = "id_ed25519"
PROXY_KEY = "id_proxy"
CONFIG, STACK = "config.json", "Stack"
FILES = (FACTS, "ca.pem", "cert.pem", "key.pem", "known_hosts", "ssh_config", OWN_KEY, PROXY_KEY)
KINDS = {"str": str, "int": int, "bool": bool, "dict[str, str]": dict, "dict[str, Any]": dict, "list[str]": list}


class Record:
    """One machine, as the last run left it.

    project: the folder that holds Pulumi.yaml. running: as declared. created, and the expiry of the server's
    certificate, the client's and their authority's: ISO 8601. ssh_host_key: authorized_keys style. ssh_port: 0 where
    there is no SSH. ssh_proxy_jump: the bastion, `USER@HOST:PORT`, or nothing. docker_url: `tcp://HOST:PORT`.
    state_file, state_time: the stack state that it was written from, where that is a file, and when that changed, in
    nanoseconds. engine, tls_sans: as declared. swarm: `manager` or `worker` of the stack's Swarm, or
    nothing. A fact with a default may be missing in older records.
    """

    name: str
    stack: str
    project: str
    provider: str
    instance_id: str
    address: str
    private_address: str
    ssh_user: str
    ssh_port: int
    docker_url: str
    engine_version: str
    certificate_expiry: str
    ssh_host_key: str
    labels: dict[str, str]
    running: bool
    created: str
    state_file: str
    state_time: int
    ssh_proxy_jump: str = ""
    ssh_proxy_host_key: str = ""
    client_expiry: str = ""
    ca_expiry: str = ""
    engine: dict[str, Any] = {}  # noqa: RUF012 - never changed
    tls_sans: list[str] = []  # noqa: RUF012 - never changed
    swarm: str = ""

    def __init__(self, facts: Mapping[str, Any], keys: Container[str] | None = None) -> None:
        """Take the facts by field name; others are passed over. Raises KeyError or TypeError naming the wrong one.

        keys: the files of keys that the record is about to have; None means those that are there.
        """
        self._keys = keys
        for field, kind in Record.__annotations__.items():
            if field not in facts and hasattr(Record, field):
                continue
            value = facts[field]
            if type(value) is not KINDS[kind]:
                raise TypeError(f"{field} is {value!r}")
            setattr(self, field, value)

    def facts(self) -> dict[str, Any]:
        """Give every field, ready for JSON. No secret is among them."""
        return {"version": VERSION} | {field: getattr(self, field) for field in Record.__annotations__}

    @property
    def is_old(self) -> bool:
        """Tell whether the stack state has changed since, by another hand or on another computer that shares it."""
        return bool(self.state_file) and changed(self.state_file) != self.state_time

    @property
    def folder(self) -> str:
        """The folder that holds the certificates."""
        return folder(self.name)

    @property
    def ssh_key(self) -> str | None:
        """The private key to log in with; None where the user's own keys do."""
        return self._file(OWN_KEY)

    @property
    def ssh_proxy_key(self) -> str | None:
        """The private key to log in to the bastion with; None where the user's own keys do."""
        return self._file(PROXY_KEY)

    def _file(self, name: str) -> str | None:
        file = os.path.join(self.folder, name)
        is_there = os.path.exists(file) if self._keys is None else name in self._keys
        return file if is_there else None


def folder(name: str) -> str:
    """Give the path of a machine's record, there or not."""
    return os.path.join(home("machines"), name)


def names() -> list[str]:
    """List the machines that have a record, in natural order: `web-2` before `web-10`."""
    return in_order(name for name in os.listdir(home("machines")) if exists(name))


def in_order(names: Iterable[str]) -> list[str]:
    """Sort names so that `web-10` follows `web-2`."""
    return sorted(names, key=_natural)


def exists(name: str) -> bool:
    """Tell whether a machine has a record, readable or not."""
    return _has(name, FACTS)


def is_begun(name: str) -> bool:
    """Tell whether a machine's making has begun, and it has no record yet."""
    return not exists(name) and _is_config_ours(name)


def has_folder(name: str) -> bool:
    """Tell whether there is something of a machine here to remove: its record, or the trace of its begun making."""
    return exists(name) or is_begun(name)


def is_foreign(name: str) -> bool:
    """Tell whether a folder here is a machine's that docker-machine made, and that mctl has not taken over."""
    return not exists(name) and _has(name, CONFIG) and not _is_config_ours(name)


def foreign() -> list[str]:
    """List the machines in this folder that are docker-machine's."""
    return in_order(name for name in os.listdir(home("machines")) if is_foreign(name))


def changed(file: str) -> int:
    """Give when a file changed, in nanoseconds; 0 where there is none."""
    try:
        return os.stat(file).st_mtime_ns
    except OSError:
        return 0


def load(name: str) -> Record:
    """Read a record. Raises NotFoundError, or RecordError for one that is damaged or docker-machine's."""
    if not exists(name):
        raise missing(name)
    import json  # a third of a read's time, and `ls -q` needs none

    file = os.path.join(folder(name), FACTS)
    try:
        with open(file, encoding="utf-8") as stream:
            facts = json.load(stream)
        _check(name, facts)
        return Record(facts)
    except (OSError, ValueError, TypeError, KeyError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RecordError(
            f'the record of machine "{name}" can\'t be read: {reason}', machine=name, mend=f"mctl refresh {name}"
        ) from None


def missing(name: str) -> NotFoundError | RecordError:
    """Give the error of a machine that has no record."""
    if is_foreign(name):
        return RecordError(
            f"machine \"{name}\" is docker-machine's, and not mctl's yet", machine=name, mend=f"mctl import {name}"
        )
    return NotFoundError(f'machine "{name}" does not exist', machine=name, mend=f"mctl ls, or mctl create {name}")


def begin(name: str, *, provider: str, stack: str, project: str) -> None:
    """Leave a trace of a machine that is about to be made: whoever looks into the store must see it to remove it.

    GitLab Runner removes what has a config.json, and nothing else. Raises RecordError where the disk refuses.
    """
    blank = {field: KINDS[kind]() for field, kind in Record.__annotations__.items()}
    record = Record({**blank, "name": name, "provider": provider, "stack": stack, "project": project})
    _write(name, {CONFIG: config_json(record).encode()})


def config_json(record: Record) -> str:
    """Write a machine as docker-machine's config.json does, and its stack, by which ours is told from theirs."""
    import json

    from infra.stacks import config_json

    return json.dumps({**config_json.shape(record), STACK: record.stack}, indent=4) + "\n"


def save(
    outputs: Mapping[str, Any], *, stack: str, project: str, state: tuple[str, int] = ("", 0), formerly: str = ""
) -> Record:
    """Write the record of a machine from its stack outputs, secrets included.

    state: the file that they come from, and when it had changed before they were read. formerly: the name before, of a
    machine that is being renamed. A new record appears whole, by
    one rename; of one that is there, only the files that differ are replaced. Raises RecordError where the outputs are
    not a machine's or the disk refuses.
    """
    from infra.stacks import expiry

    name = outputs["name"]
    try:
        own = {
            "ssh_port": int(outputs["ssh_port"]),
            "stack": stack,
            "project": project,
            "created": _created(name, formerly),
        }
        own |= {f"{whose}_expiry": expiry.of_certificate(_text(outputs, f"{whose}_cert")) for whose in ("client", "ca")}
        keys = {OWN_KEY: _key(outputs, "ssh_private_key"), PROXY_KEY: _key(outputs, "ssh_proxy_private_key")}
        facts = {**outputs, **own, "state_file": state[0], "state_time": state[1]}
        record = Record(facts, keys=[file for file, key in keys.items() if key])
        files = _files(record, outputs, keys)
    except (KeyError, TypeError, AttributeError) as error:
        raise RecordError(
            f'the outputs of stack {stack} make no record of machine "{name}": {error}',
            machine=name,
            mend=f"mctl up {stack}",
        ) from None
    _write(name, files)
    return record


def _write(name: str, files: Mapping[str, bytes | None]) -> None:
    from infra.stacks import record_files

    try:
        record_files.write(folder(name), files)
    except OSError as error:
        raise RecordError(
            f'the record of machine "{name}" can\'t be written: {error}',
            machine=name,
            mend=f"make room or rights in {home('machines')}, then mctl refresh {name}",
        ) from None


def of_stack(stack: str, project: str) -> list[str]:
    """List the machines that have a record of that stack."""
    found = []
    for name in names():
        try:
            record = load(name)
        except (NotFoundError, RecordError):
            continue
        if (record.stack, record.project) == (stack, project):
            found.append(name)
    return found


def remove(name: str) -> None:
    """Remove a record, there or not, so that it is out of sight at once. Files of others in its folder stay."""
    from infra.stacks import record_files

    if _may_be_name(name):
        config = (CONFIG,) if _is_config_ours(name) else ()
        record_files.remove(folder(name), (*FILES, *config))


def known_hosts(record: Record) -> str:
    """Give the lines that pin the host keys of the machine and its bastion (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    from infra.components.ssh_command import host_name
    from infra.machine import Jump

    if not record.ssh_port:
        return ""
    lines = f"{host_name(record.address, record.ssh_port)} {record.ssh_host_key.strip()}\n"
    if record.ssh_proxy_jump:
        jump = Jump.parse(record.ssh_proxy_jump, record.name)
        lines += f"{host_name(jump.host, jump.port)} {record.ssh_proxy_host_key.strip()}\n"
    return lines


def _files(record: Record, outputs: Mapping[str, Any], keys: Mapping[str, str | None]) -> dict[str, bytes | None]:
    """Name every file of the record in the order of writing; None is a file that must not be there."""
    import json

    from infra.stacks import ssh

    texts = {
        "ca.pem": _text(outputs, "ca_cert"),
        "cert.pem": _text(outputs, "client_cert"),
        "key.pem": _text(outputs, "client_key"),
        "known_hosts": known_hosts(record),
        **keys,
        ssh.CONFIG: ssh.host_block(record),
        CONFIG: config_json(record),
        FACTS: json.dumps(record.facts(), indent=4) + "\n",
    }
    if _has(record.name, CONFIG) and not _is_config_ours(record.name):
        del texts[CONFIG]  # docker-machine goes on using its own
    return {file: None if text is None else text.encode() for file, text in texts.items()}


def _text(outputs: Mapping[str, Any], key: str) -> str:
    value = outputs[key]
    if not isinstance(value, str):  # its value is no one's to print
        raise TypeError(f"{key} is no text")
    return value


def _key(outputs: Mapping[str, Any], key: str) -> str | None:
    return _text(outputs, key).strip() + "\n" if outputs.get(key) else None


def _created(*names: str) -> str:
    """Give when a machine was created, as the first of its names that has a record knows it; else now."""
    from contextlib import suppress
    from datetime import UTC, datetime

    for name in names:
        with suppress(NotFoundError, RecordError):
            return load(name).created
    return datetime.now(UTC).isoformat(timespec="seconds")


def _check(name: str, facts: Any) -> None:
    if not isinstance(facts, dict):
        raise TypeError(f"{FACTS} holds no object")
    if facts["version"] != VERSION:
        raise ValueError(f"it is of version {facts['version']}, and this mctl reads version {VERSION}")
    if facts["name"] != name:
        raise ValueError(f"it is that of machine {facts['name']!r}")


def _has(name: str, file: str) -> bool:
    return _may_be_name(name) and os.path.exists(os.path.join(folder(name), file))


def _is_config_ours(name: str) -> bool:
    import json

    try:
        with open(os.path.join(folder(name), CONFIG), encoding="utf-8") as stream:
            return STACK in json.load(stream)
    except (OSError, ValueError, TypeError):
        return False


def _may_be_name(name: str) -> bool:
    """Keep anything that is no machine name, such as `../x`, away from the file system."""
    return name[:1].isalnum() and name.isascii() and name.replace("-", "").replace(".", "").isalnum()


def _natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Give what a name is sorted by: digits count as numbers, and case only where nothing else differs."""
    parts = [""]
    for character in name.casefold():
        if parts[-1][-1:].isdigit() == character.isdigit():
            parts[-1] += character
        else:
            parts.append(character)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts], name
