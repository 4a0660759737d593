"""What can be amiss with a machine that Pulumi can't see: looked at by SSH and at Docker's port, changing nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.components import drivers
from infra.components.engine_scripts.configure import PORT
from infra.components.engine_scripts.configure import check as check_script
from infra.errors import HostError
from infra.machine import EngineSpec, MachineSpec
from infra.stacks import expiry, host_scripts, lookup
from infra.stacks.machines import declaration
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.states import RUNNING, STOPPED, TIMEOUT, State, probe

LINE = re.compile(r"^mctl-check (\S+) (ok|bad) ?(.*)$", re.MULTILINE)
CLOCK_SECONDS = 60  # certificates and registries' tokens bear some
OTHER_KEY = re.compile(r"host key verification failed|identification has changed", re.IGNORECASE)
NAMES = {
    "clock": "Clock",
    "version": "Engine version",
    "daemon.json": "daemon.json",
    "tls": "TLS files",
    "unit": "Unit drop-in",
    "boot": "Start at boot",
    "disk": "Disk space",
}
MENDS = {
    "clock": "mctl ssh {0} sudo timedatectl set-ntp true",
    "version": "mctl provision {0}",
    "daemon.json": "drop the host's changes: mctl ssh {0} sudo rm /etc/docker/daemon.json; then mctl provision {0}",
    "tls": "mctl provision {0}",
    "unit": "mctl provision {0}",
    "boot": "mctl provision {0}",
    "disk": "docker --context {0} system prune",
}


@dataclass(frozen=True)
class Finding:
    """One check. value: what was found. mend: the command that mends it, where it is not as it should be."""

    machine: str
    name: str
    ok: bool
    value: str
    mend: str = ""


def examine(name: str, report: Report) -> list[Finding]:
    """Run every check that a machine is open to. Raises NotFoundError."""
    record = lookup.find(name)
    spec = declaration(name)[-1]
    if not record.running:
        return [Finding(name, "Docker", ok=True, value="switched off, as declared")]
    state = probe(record)
    findings = [_docker(record, state), *_certificates(record)]
    is_up = state.word not in (STOPPED, TIMEOUT)
    return [*findings, *(_on_host(record, spec, report) if is_up and _is_ours(record, spec) else ())]


def amiss(name: str, report: Report) -> list[Finding]:
    """Give what is amiss with a machine of ours; of a daemon that was only named, nothing is asked."""
    if not drivers.load(declaration(name)[-1].provider).has_host:
        return []
    return [finding for finding in examine(name, report) if not finding.ok]


def tell(name: str, report: Report) -> None:
    """Tell of what is amiss with a machine that was just made."""
    for finding in amiss(name, report):
        report(Progress(name, f"{finding.name}: {finding.value}; mend: {finding.mend}", notice=True))


def _is_ours(record: Record, spec: MachineSpec) -> bool:
    return bool(record.ssh_port) and not spec.adopted and drivers.load(spec.provider).has_host


def _docker(record: Record, state: State) -> Finding:
    said = state.error or (f"{state.word}, not {RUNNING}" if state.word != RUNNING else record.docker_url)
    mend = "" if state.docker_version else _way_to_docker(record, state)
    return Finding(record.name, "Docker over TLS", ok=bool(state.docker_version), value=said, mend=mend)


def _way_to_docker(record: Record, state: State) -> str:
    name, driver = record.name, drivers.load(record.provider)
    if state.word not in (STOPPED, TIMEOUT):
        return f"mctl ssh {name} sudo journalctl -u docker" if record.ssh_port else "start it on its host"
    if not driver.switches:
        return "switch the host on"
    shut_out = driver.closes and state.word == TIMEOUT
    return f"mctl start {name}" + (f"; where it is on: mctl set {name} --allow-cidr YOURS" if shut_out else "")


def _certificates(record: Record) -> Iterator[Finding]:
    if record.certificate_expiry:
        ending = expiry.warning(record)
        value = ending or f"good until {record.certificate_expiry[:10]}"
        yield Finding(
            record.name, "Certificates", ok=not ending, value=value, mend=expiry.mend(record) if ending else ""
        )


def _on_host(record: Record, spec: MachineSpec, report: Report) -> Iterator[Finding]:
    name = record.name
    args = drivers.read_args(drivers.load(spec.provider), name, spec.options)
    script = check_script(_engine(record, spec), name, spec.provider, getattr(args, "engine_port", PORT))
    try:
        output = host_scripts.run(record, script, report, mend=f"mctl status {name}")
    except HostError as error:
        if OTHER_KEY.search(error.message):
            yield Finding(name, "Host key", ok=False, value="it is not the one that was pinned", mend=_new_key(spec))
        else:
            yield Finding(name, "SSH", ok=False, value=error.message, mend=error.mend or "")
        return
    yield Finding(name, "Host key", ok=True, value="the one that was pinned")
    for check, word, value in LINE.findall(output):
        yield _finding(record, check, value, ok=word == "ok")


def _new_key(spec: MachineSpec) -> str:
    """Say how a host gets the pinned key again: the one that we made, or a host of its own by the declaration."""
    name = spec.name
    if drivers.load(spec.provider).makes_vm:
        return f"put it back by its console, or make the machine anew: mctl rm {name}, then mctl create {name}"
    return f"if nobody is in between, declare the new one as ssh_host_key, then: mctl up {name}"


def _engine(record: Record, spec: MachineSpec) -> EngineSpec:
    """Give the engine's settings as the last run made them; what is declared since is no fault of the host."""
    made: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in record.engine.items()
    }
    return EngineSpec(**made) if made else spec.engine


def _finding(record: Record, check: str, value: str, *, ok: bool) -> Finding:
    if check == "clock":
        off = round(abs(time.time() - int(value)))
        ok, value = off <= CLOCK_SECONDS, f"{off} s from this computer's"
    elif check == "version":
        ok = value == record.engine_version
        value = value if ok else f"{value or 'none'}, and {record.engine_version} was installed"
    return Finding(record.name, NAMES[check], ok=ok, value=value, mend="" if ok else MENDS[check].format(record.name))
