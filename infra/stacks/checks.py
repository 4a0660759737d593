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
from infra.stacks.states import RUNNING, probe

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
    return [*_from_here(record), *(_on_host(record, spec, report) if _is_ours(record, spec) else ())]


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


def _from_here(record: Record) -> Iterator[Finding]:
    state = probe(record)
    said = state.error or (f"{state.word}, not {RUNNING}" if state.word != RUNNING else record.docker_url)
    log = f"mctl ssh {record.name} sudo journalctl -u docker"
    mend = "" if state.docker_version else log if record.ssh_port else "start it on its host"
    yield Finding(record.name, "Docker over TLS", ok=bool(state.docker_version), value=said, mend=mend)
    if not record.certificate_expiry:
        return
    ending = expiry.warning(record)
    value = ending or f"good until {record.certificate_expiry[:10]}"
    yield Finding(record.name, "Certificates", ok=not ending, value=value, mend=expiry.mend(record) if ending else "")


def _on_host(record: Record, spec: MachineSpec, report: Report) -> Iterator[Finding]:
    name = record.name
    args = drivers.read_args(drivers.load(spec.provider), name, spec.options)
    script = check_script(_engine(record, spec), name, spec.provider, getattr(args, "engine_port", PORT))
    try:
        output = host_scripts.run(record, script, report, mend=f"mctl status {name}")
    except HostError as error:
        is_other = bool(OTHER_KEY.search(error.message))
        mend = "make sure that nobody is in between, then: mctl refresh {0}; mctl up {0}" if is_other else error.mend
        said = "it is not the one that was pinned" if is_other else error.message
        yield Finding(name, "Host key" if is_other else "SSH", ok=False, value=said, mend=(mend or "").format(name))
        return
    yield Finding(name, "Host key", ok=True, value="the one that was pinned")
    for check, word, value in LINE.findall(output):
        yield _finding(record, check, value, ok=word == "ok")


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
