"""A store of docker-machine: read, and never written.

The paths in its files are absolute and may be those of another computer, so what stands beside them counts first.
Source: https://github.com/docker/machine, libmachine/host/host.go and libmachine/persist/filestore.go
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.errors import MctlError, NotFoundError, PreCreateError, RecordError
from infra.machine import EngineSpec, MachineSpec
from infra.stacks import records

VARIABLE = "MACHINE_STORAGE_PATH"
CONFIG = "config.json"
VERSION = 3
ENGINE_PORT = 2376
# Whom drivers log in as where their config names nobody; the others do as root.
USERS = {
    "amazonec2": "ubuntu",
    **dict.fromkeys(("azure", "google"), "docker-user"),
    **dict.fromkeys(("hyperv", "parallels", "virtualbox", "vmwarefusion", "vmwarevsphere", "xhyve"), "docker"),
}


@dataclass(frozen=True)
class OldMachine:
    """What the store knows of one machine.

    spec: how we would declare it. ssh_key: its file; None means the user's own. certificates: `ca_cert`, `client_cert`,
    `client_key` and `server_cert`, PEM; the last is empty where the store has none.
    """

    name: str
    driver: str
    spec: MachineSpec
    ssh_key: Path | None
    certificates: Mapping[str, str] = field(repr=False)


def default_path() -> Path:
    """Give where docker-machine itself would look."""
    return Path(os.environ.get(VARIABLE) or Path.home() / ".docker" / "machine").absolute()


def names(store: Path) -> list[str]:
    """List the machines of a store, readable or not, in natural order; in a folder that we share, not our own."""
    folders = (file.parent for file in store.glob(f"machines/*/{CONFIG}"))
    return records.in_order(folder.name for folder in folders if not (folder / records.FACTS).exists())


def read(store: Path, name: str) -> OldMachine:
    """Read one machine.

    Raises NotFoundError, RecordError for an entry that is damaged, PreCreateError for one that can't be taken over, and
    UsageError for settings that can't mean anything.
    """
    folder = store / "machines" / name
    if not (folder / CONFIG).is_file():
        raise NotFoundError(f'there is no machine "{name}" in {store}', machine=name, mend="mctl import --dry-run")
    try:
        config = json.loads((folder / CONFIG).read_text())
        version, driver = config["ConfigVersion"], str(config["DriverName"])
        if version != VERSION:
            raise _damaged(folder, f"it is of version {version}, and version {VERSION} can be read")
        old = OldMachine(
            name, driver, _spec(name, config), _ssh_key(folder, config["Driver"]), _certificates(store, folder)
        )
    except MctlError:
        raise
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise _damaged(folder, reason) from None
    return old


def _damaged(folder: Path, reason: str) -> RecordError:
    return RecordError(
        f"{folder / CONFIG} can't be read: {reason}",
        machine=folder.name,
        mend=f"take its host over by its address: mctl import {folder.name} --generic-ip-address ADDRESS",
    )


def _spec(name: str, config: Mapping[str, Any]) -> MachineSpec:
    driver, known = config["DriverName"], config["Driver"]
    if driver == "none":
        raise PreCreateError(
            f'machine "{name}" has the driver none: there is no host to log in to',
            machine=name,
            mend=f"take its host over by its address: mctl import {name} --generic-ip-address ADDRESS",
        )
    if not known.get("IPAddress"):
        raise PreCreateError(
            f'machine "{name}" has no address in the store',
            machine=name,
            mend=f"start it with docker-machine start {name}, then import it",
        )
    # VirtualBox forwards SSH from a port of this computer; the machine's own address has it where it belongs.
    port = 22 if driver == "virtualbox" else known.get("SSHPort") or 22
    return MachineSpec(
        name=name,
        provider="generic",
        options={
            "ip_address": known["IPAddress"],
            "ssh_user": known.get("SSHUser") or USERS.get(driver, "root"),
            "ssh_port": int(port),
            "engine_port": int(known.get("EnginePort") or known.get("DockerPort") or ENGINE_PORT),
        },
        engine=_engine(driver, config["HostOptions"]["EngineOptions"]),
        tls_sans=tuple(config["HostOptions"]["AuthOptions"].get("ServerCertSANs") or ()),
    )


def _engine(driver: str, options: Mapping[str, Any]) -> EngineSpec:
    """Keep the engine's settings, and the label that docker-machine gives every daemon."""
    labels = tuple(options.get("Labels") or ())
    if not any(label.startswith("provider=") for label in labels):
        labels = (*labels, f"provider={driver}")
    return EngineSpec(
        opts=tuple(options.get("ArbitraryFlags") or ()),
        labels=labels,
        insecure_registries=tuple(options.get("InsecureRegistry") or ()),
        registry_mirrors=tuple(options.get("RegistryMirror") or ()),
        storage_driver=options.get("StorageDriver") or "",
        env=tuple(options.get("Env") or ()),
    )


def _ssh_key(folder: Path, known: Mapping[str, Any]) -> Path | None:
    """Find the key file; the generic driver without one uses the user's own."""
    named = Path(known.get("SSHKeyPath") or "id_rsa").name
    found = [
        file for file in (folder / named, folder / "id_rsa", Path(known.get("SSHKeyPath") or "-")) if file.is_file()
    ]
    if not found and "SSHKey" not in known:
        raise OSError(f"its SSH key {named} is missing")
    return found[0] if found else None


def _certificates(store: Path, folder: Path) -> dict[str, str]:
    """Read the machine's own copies, which outlive a new authority of the store; else the store's."""
    texts = {}
    for key, file in (("ca_cert", "ca.pem"), ("client_cert", "cert.pem"), ("client_key", "key.pem")):
        own = folder / file
        texts[key] = (own if own.is_file() else store / "certs" / file).read_text()
    server = folder / "server.pem"
    return texts | {"server_cert": server.read_text() if server.is_file() else ""}
