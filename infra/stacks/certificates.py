"""New certificates for machines, and new authorities for stacks, with no moment in which a machine is out of reach.

What was stopped half-way is gone on with by the same call. Hosts are reached over SSH, so certificates that have ended
stand in nobody's way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

from infra.authority import AuthoritySpec
from infra.components.tls import HOURS_A_YEAR, RENEWAL_HOURS, client_key_name, server_key_name
from infra.errors import NotFoundError, RecordError
from infra.machine import MachineSpec
from infra.stacks import project, records
from infra.stacks.machines import await_docker, declaration, keep_records, locate, refuse_without_host
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.store import Stack

# An authority is followed by the next before it ends earlier than what it would sign now, and the time to renew that.
CA_RENEWAL = timedelta(hours=HOURS_A_YEAR + RENEWAL_HOURS)


def regenerate(name: str, report: Report, *, client: bool = False, authority: bool = False) -> list[Record]:
    """Give a machine a new key and server certificate, and restart its daemon with them.

    client: a new client certificate too. authority: a new authority for the whole stack, and all that it signs; also
    where the present one ends soon, and where a roll or an adoption is under way. Gives the records of all machines
    that have new certificates.
    """
    folder, stack, spec = declaration(name)
    refuse_without_host(spec)
    opened = Stack(folder, stack, report)
    plan = project.authority(folder, stack)
    if plan.is_settled and (authority or _ends_soon(name)):
        plan = plan.rolled()
    if not plan.is_settled:
        return _roll(opened, plan, f"mctl regenerate-certs {name}", report)
    _end_adoption(opened)
    keys = [server_key_name(name), *([client_key_name(plan.client)] if client else [])]
    opened.up(mend=f"mctl regenerate-certs {name}", renew=keys)
    made = [record for record in keep_records(opened, report) if record.name == name]
    _await_all(made, report)
    return made


def one_of_each_stack(names: Sequence[str]) -> list[str]:
    """Keep the first machine of each stack: an authority is its stack's. Unknown ones stay, to be refused in turn."""
    chosen: dict[object, str] = {}
    for name in names:
        try:
            stack: object = locate(name)
        except NotFoundError:
            stack = name
        chosen.setdefault(stack, name)
    return list(chosen.values())


def ends(pem: str) -> datetime:
    """Give when the first of some certificates ends. Raises ValueError for what holds none."""
    return min(cert.not_valid_after_utc for cert in x509.load_pem_x509_certificates(pem.encode()))


def _ends_soon(name: str) -> bool:
    try:
        return ends(Path(records.load(name).folder, "ca.pem").read_text()) < datetime.now(UTC) + CA_RENEWAL
    except (NotFoundError, RecordError, OSError, ValueError):
        return False


def _roll(opened: Stack, plan: AuthoritySpec, mend: str, report: Report) -> list[Record]:
    """Take every step that is left. Each is written down before it is made, and made again where that is not sure."""
    step: AuthoritySpec | None = plan
    made: list[Record] = []
    while step:
        plan = step
        project.declare_authority(opened.folder, opened.name, plan)
        if plan.signs in plan.admits:
            _end_adoption(opened)
        report(Progress("", _step(plan)))
        opened.up(mend=mend)
        made = keep_records(opened, report)
        if plan.client == plan.signs:
            _await_all(made, report)
        step = plan.step()
    return made


def _step(plan: AuthoritySpec) -> str:
    newest = plan.trusts[-1]
    if plan.is_settled:
        return "Forgetting the authority before"
    if plan.client == newest:
        return "Taking the client certificate of the new authority"
    if newest in plan.admits:
        return "Giving the machines certificates of the new authority"
    return "Making a new authority, and trusting it"


def _end_adoption(opened: Stack) -> None:
    for name, entry in project.machines(opened.folder, opened.name).items():
        spec = MachineSpec.from_config(name, entry)
        if spec.adopted:
            project.declare(opened.folder, opened.name, replace(spec, adopted={}))


def _await_all(made: Sequence[Record], report: Report) -> None:
    for record in made:
        if record.running:
            await_docker(record, report)
