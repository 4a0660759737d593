"""Where machines can be imported from: docker-machine's store, another project's folder or home, an exported
file, and a host by its address.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from infra.components import drivers
from infra.errors import MctlError, NotFoundError, PreCreateError, UsageError
from infra.machine import EngineSpec, MachineSpec
from infra.stacks import adoption, docker_machine_store, machines, moving, passphrase, project, sealed_file
from infra.stacks.progress import Report

Row = dict[str, Any]


class Source(Protocol):
    """One place. noun: what its parts are, each taken over as a whole."""

    noun: str

    def parts(self, names: Sequence[str]) -> list[str]:
        """List the parts that hold the named machines; no name means all. Raises NotFoundError."""

    def look(self, part: str) -> list[Row]:
        """Say how the machines of a part would be taken over, changing nothing."""

    def take(self, part: str, report: Report) -> None:
        """Take one part over."""


class DockerMachine:
    """A store of docker-machine. host_key: as `--ssh-host-key`."""

    noun = "machine"

    def __init__(self, store: Path, host_key: str) -> None:
        self._store, self._host_key = store, host_key
        self._taken: dict[str, str] | None = None

    def parts(self, names: Sequence[str]) -> list[str]:
        """List the machines."""
        return list(names) or _some(docker_machine_store.names(self._store), self._store)

    def look(self, part: str) -> list[Row]:
        """Read one machine's entry."""
        self._taken = adoption.hosts_here() if self._taken is None else self._taken
        return [adoption.look(self._store, part, self._taken)]

    def take(self, part: str, report: Report) -> None:
        """Adopt one machine."""
        adoption.adopt(self._store, part, self._host_key, report)


class OtherProject:
    """A folder with a Pulumi.yaml of ours, or another home of mctl's. It stays as it is."""

    noun = "stack"

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def parts(self, names: Sequence[str]) -> list[str]:
        """List the stacks."""
        if not names:
            return _some([s for s in project.stacks(self._folder) if project.machines(self._folder, s)], self._folder)
        return list(dict.fromkeys(self._stack_of(name) for name in names))

    def look(self, part: str) -> list[Row]:
        """Read one stack's declaration."""
        declared = project.machines(self._folder, part)
        moving.refuse_local(declared)
        return _rows(part, declared)

    def take(self, part: str, report: Report) -> None:
        """Copy one stack."""
        passphrase.environment(make=True)  # a home where nothing was made yet has none
        moving.unpack(moving.pack(self._folder, part, report, passphrase.kept_in(self._folder)), report)

    def _stack_of(self, name: str) -> str:
        stack = project.stack_of(self._folder, name)
        if stack is None:
            raise NotFoundError(
                f'there is no machine "{name}" in {self._folder}', machine=name, mend="mctl import --dry-run"
            )
        return stack


class ExportedFile:
    """A file that `mctl export` wrote. Raises what `sealed_file.read` raises."""

    noun = "stack"

    def __init__(self, file: Path, secret: str) -> None:
        self._packed: moving.Packed = json.loads(sealed_file.read(file, secret))

    def parts(self, names: Sequence[str]) -> list[str]:
        """Name the one stack."""
        del names  # the file's own name is the only one
        return [str(self._packed["stack"])]

    def look(self, part: str) -> list[Row]:
        """Read its declaration."""
        return _rows(part, self._packed["config"][project.KEY])

    def take(self, part: str, report: Report) -> None:
        """Unpack it."""
        del part
        moving.unpack(self._packed, report)


class HostByAddress:
    """A host of one's own, whose engine stays the one that it has. options: the generic driver's."""

    noun = "machine"

    def __init__(self, options: Mapping[str, Any], host_key: str) -> None:
        self._options, self._host_key = options, host_key

    def parts(self, names: Sequence[str]) -> list[str]:
        """Give the machine's name. Raises UsageError for none, or several."""
        if len(names) != 1:
            raise UsageError("a host needs one name", mend="mctl import NAME --generic-ip-address ADDRESS")
        return list(names)

    def look(self, part: str) -> list[Row]:
        """Say what the host will notice."""
        note = "its Docker Engine stays; the daemon gets mctl's certificates and is restarted with them"
        return [{"name": part, "driver": "generic", "stack": part, "notes": [note]}]

    def take(self, part: str, report: Report) -> None:
        """Make a machine of it."""
        spec = MachineSpec(
            name=part,
            provider="generic",
            options=self._options,
            engine=EngineSpec(install="none"),
            ssh_host_key=self._host_key,
        )
        machines.create(spec, part, report)


def instance_address(provider: str, instance_id: str) -> str:
    """Ask a provider where an instance is; the provider's options come from the environment.

    Raises UsageError for a provider without instances, NotFoundError, and PreCreateError for one without an address.
    """
    driver = drivers.load(provider)
    if not driver.find:
        raise UsageError(f"provider {driver.name} has no instances that could be imported by their id")
    address = driver.find(drivers.read_args(driver, "", drivers.from_environment(driver)), instance_id)
    if not address:
        raise PreCreateError(f"instance {instance_id} has no address: it is off", mend="switch it on there")
    return address


def choose(place: Path | None, names: Sequence[str], host_key: str, secret: Callable[[], str]) -> Source:
    """Tell what a place is; without one, the only name may be an exported file, else docker-machine's store is meant.

    secret: asks for the file's passphrase. Raises NotFoundError for a place that is none of these.
    """
    file = place or (Path(names[0]) if len(names) == 1 else None)
    if file and sealed_file.is_one(file):
        return ExportedFile(file, secret())
    folder = (place or docker_machine_store.default_path()).absolute()
    if (folder / "Pulumi.yaml").is_file() and not docker_machine_store.names(folder):
        return OtherProject(folder)
    if not folder.is_dir():
        raise NotFoundError(f"there is no folder {folder} to import from", mend="mctl import --from FOLDER")
    return DockerMachine(folder, host_key)


def look_all(source: Source, parts: Sequence[str]) -> tuple[list[Row], MctlError | None]:
    """Look at every part; what can't be taken over is a row too. Gives the first failure with them."""
    rows: list[Row] = []
    failure: MctlError | None = None
    for part in parts:
        try:
            rows += source.look(part)
        except MctlError as error:
            rows.append({"name": part, "error": error.message})
            failure = failure or error
    return rows, failure


def _rows(stack: str, machines: dict[str, Any]) -> list[Row]:
    return [
        {"name": name, "driver": entry["provider"], "stack": stack, "notes": []} for name, entry in machines.items()
    ]


def _some(found: list[str], place: Path) -> list[str]:
    if not found:
        raise NotFoundError(f"there is no machine to import in {place}", mend="mctl import --from FOLDER")
    return found
