"""Machines that docker-machine made become ours, while nothing on their hosts is touched.

The host is a generic one from now on; its daemon, authority and client certificate go on as they are (generation 0),
kept as secrets of the stack, so that the old store may go and teammates need none of it. `regenerate-certs` changes
over to our own authority later.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from infra.authority import AFTER_ADOPTION
from infra.components import drivers
from infra.components.drivers import generic
from infra.components.machine import docker_url
from infra.errors import NameTakenError, NotFoundError, PreCreateError, RecordError
from infra.machine import MachineSpec
from infra.stacks import docker_machine_store, expiry, project, records
from infra.stacks.certificates import ends
from infra.stacks.docker_machine_store import OldMachine
from infra.stacks.machines import keep_records, refuse_taken
from infra.stacks.progress import Progress, Report
from infra.stacks.states import probe
from infra.stacks.store import Stack

SOON = timedelta(days=expiry.DAYS)
ASKED = "docker info --format '{{.ServerVersion}} {{.Driver}}' 2>/dev/null"
# What dockerd chooses by itself: any other storage driver has to be named, or the containers are not found again.
CHOSEN = ("", "overlay2", "overlayfs")
PROBE_SECONDS = 10


def look(store: Path, name: str, taken: dict[str, str]) -> dict[str, Any]:
    """Say how a machine would be taken over, asking nobody.

    taken: hosts, and the machines that they are; this one is added. Raises what `docker_machine_store.read` raises, and
    NameTakenError for a host that is another machine's.
    """
    old = docker_machine_store.read(store, name)
    _refuse_twin(old, taken)
    taken[_host(old.spec)] = name
    options = old.spec.options
    return {
        "name": name,
        "driver": old.driver,
        "provider": old.spec.provider,
        "stack": name,
        "login": f"{options['ssh_user']}@{_host(old.spec)}",
        "docker_url": docker_url(options["ip_address"], options["engine_port"]),
        "certificates_end": _first_end(old).isoformat(),
        "notes": _notes(old),
    }


def hosts_here() -> dict[str, str]:
    """Give the hosts that have a record, and the machines that they are."""
    found = {}
    for name in records.names():
        with suppress(NotFoundError, RecordError):
            record = records.load(name)
            found[f"{record.address}:{record.ssh_port}"] = name
    return found


def adopt(store: Path, name: str, host_key: str, report: Report) -> None:
    """Take a machine over; one that is ours already is left alone.

    host_key: as `--ssh-host-key`. Raises what `docker_machine_store.read` raises, NameTakenError, PreCreateError where
    the host can't be logged in to, StackError.
    """
    old = docker_machine_store.read(store, name)
    folder = project.find_project()
    if _is_ours(old):
        report(Progress(name, "is here already", notice=True))
        return
    refuse_taken(folder, name, name)
    _refuse_twin(old, hosts_here())
    spec = _checked(old, host_key)
    opened = Stack(folder, name, report, make=True)
    parts = ("ca_cert", "client_cert", "client_key")
    opened.keep_secret(project.ADOPTED, json.dumps({part: old.certificates[part] for part in parts}))
    if old.ssh_key:
        opened.keep_secret(f"{project.SSH_KEY}{name}", old.ssh_key.read_text())
    project.declare_authority(folder, name, AFTER_ADOPTION)
    project.declare(folder, name, spec)
    opened.up(mend=f"mctl import {name} --from {store}")
    for record in keep_records(opened, report):
        state = probe(record, PROBE_SECONDS)
        if not state.docker_version:
            report(Progress(name, f"{state.error}: mctl regenerate-certs {name} may mend it, over SSH", notice=True))
    for note in _notes(old):
        report(Progress(name, note, notice=True))


def _is_ours(old: OldMachine) -> bool:
    return hosts_here().get(_host(old.spec)) == old.name


def _host(spec: MachineSpec) -> str:
    return f"{spec.options['ip_address']}:{spec.options['ssh_port']}"


def _refuse_twin(old: OldMachine, taken: Mapping[str, str]) -> None:
    twin = taken.get(_host(old.spec), old.name)
    if twin != old.name:
        raise NameTakenError(
            f'machine "{old.name}" is on the host of machine "{twin}"',
            machine=old.name,
            mend="one of them is a leftover: import the other alone, by its name",
        )


def _checked(old: OldMachine, host_key: str) -> MachineSpec:
    """Pin the host's key, log in once, and note the engine's version. Raises PreCreateError."""
    key = {"ssh_key": str(old.ssh_key)} if old.ssh_key else {}
    spec = replace(old.spec, options={**old.spec.options, **key}, ssh_host_key=host_key)
    driver = drivers.load(spec.provider)
    spec = driver.check(spec, drivers.read_args(driver, spec.name, spec.options))
    args = drivers.read_args(driver, spec.name, spec.options)
    version, _, storage = generic.ask(spec, args, f"{ASKED} || sudo -n {ASKED} || true").partition(" ")
    if not version:
        raise PreCreateError(
            f"no Docker Engine answers on {args.ip_address}",
            machine=old.name,
            mend=f"start it there, or make a machine of the host anew: mctl create {old.name} --provider generic …",
        )
    kept = {name: value for name, value in spec.options.items() if name != "ssh_key" or not old.ssh_key}
    adopted = {"engine_version": version, "certificate_expiry": _expiry(old)}
    if storage not in CHOSEN:
        spec = replace(spec, engine=replace(spec.engine, storage_driver=storage))
    return replace(spec, options=kept, adopted=adopted)


def _first_end(old: OldMachine) -> datetime:
    """Give when the first certificate ends that the machine is reached with. Raises RecordError."""
    pems = (old.certificates[part] for part in ("ca_cert", "client_cert", "server_cert"))
    try:
        return min(ends(pem) for pem in pems if pem)
    except ValueError:
        raise RecordError(
            f'the store has no readable certificates of machine "{old.name}"',
            machine=old.name,
            mend=f"take its host over by its address: mctl import {old.name} --generic-ip-address ADDRESS",
        ) from None


def _expiry(old: OldMachine) -> str:
    return _first_end(old).strftime("%Y-%m-%dT%H:%M:%SZ")


def _notes(old: OldMachine) -> list[str]:
    notes = []
    end, now = _first_end(old), datetime.now(UTC)
    if end < now + SOON:
        says = "ended" if end < now else "end"
        notes.append(
            f"its certificates {says} on {end:%Y-%m-%d}: mctl regenerate-certs {old.name} renews them over SSH"
        )
    if old.driver != old.spec.provider:
        notes.append(f"its host stays with {old.driver}: start, stop and delete it there; mctl rm forgets it")
    return notes
