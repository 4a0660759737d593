"""The answers that records can give. Each function gives the text to print; none imports typer, and only `ls` asks.

Both ways in, cli/fast.py and cli/commands/, call these. A module costs a shell prompt half a millisecond, so what few
reads need is imported where they need it.
"""

from __future__ import annotations

import os

from infra.errors import HostError, NotFoundError, UsageError
from infra.stacks import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

NO_PROXY = ("no_proxy", "NO_PROXY")
CLIENT_FILES = (("cacert", "ca.pem"), ("cert", "cert.pem"), ("key", "key.pem"))


def ip(names: Sequence[str], *, json: bool = False) -> str:
    """Give the machines' addresses, one a line, in the order asked; none at all where one has none."""
    found = [_find(name) for name in names] or [_find(None)]
    for record in found:
        if not record.address:
            raise HostError(
                f'machine "{record.name}" has no address', machine=record.name, mend=f"mctl refresh {record.name}"
            )
    if json:
        return _json([{"name": record.name, "address": record.address} for record in found])
    return "".join(f"{record.address}\n" for record in found)


def url(name: str | None, *, json: bool = False) -> str:
    """Give the URL of the machine's Docker daemon."""
    record = _running(name)
    return _json({"name": record.name, "url": record.docker_url}) if json else f"{record.docker_url}\n"


def config(name: str | None, *, swarm: bool = False, json: bool = False) -> str:
    """Give the options that point the docker CLI at a machine: `docker $(mctl config NAME) ps`.

    The quotes stay where no shell takes them away: the docker CLI strips them itself.
    """
    from cli.shells import double_quoted

    record = _reachable(name, swarm=swarm)
    files = {f"tls{option}": os.path.join(record.folder, file) for option, file in CLIENT_FILES}
    if json:
        return _json({"tlsverify": True, **files, "host": record.docker_url})
    options = "".join(f"--{option}={double_quoted(path)}\n" for option, path in files.items())
    return f"--tlsverify\n{options}-H={record.docker_url}\n"


def inspect(name: str | None, *, template: str | None = None) -> str:
    """Give the whole record as JSON, or filled into a Go template that may also use docker-machine's own fields."""
    record = _find(name)
    if not template:
        return _json(record.facts())
    from cli.go_template import Template
    from infra.stacks import config_json

    return Template(template).render(config_json.shape(record) | record.facts()) + "\n"


def active(*, json: bool = False) -> str:
    """Give the name of the machine that docker uses in this shell."""
    from infra.stacks import active

    record = active.machine()
    if not record:
        raise HostError("No active host found", mend='eval "$(mctl env NAME)", or docker context use NAME')
    return _json({"name": record.name, "url": record.docker_url}) if json else f"{record.name}\n"


def ls(filters: Sequence[str] = (), *, template: str | None = None, timeout: float = 10, json: bool = False) -> str:
    """Give the machines that the filters keep, and their states; all are asked at once."""
    from cli import ls_format
    from infra.stacks import listing
    from infra.stacks.filters import Filters

    form = ls_format.Form(template or ls_format.DEFAULT)
    machines, error = listing.machines(timeout, Filters(filters))
    if error:
        from cli.output import print_error

        print_error(error)
    return _json([ls_format.facts(machine) for machine in machines]) if json else form.text(machines)


def ls_names(filters: Sequence[str] = (), *, timeout: float = 10, json: bool = False) -> str:
    """Give the names of all machines that the filters keep. No machine is asked, unless for its state."""
    names = _filtered(filters, timeout) if filters else records.names()
    return _json(names) if json else "".join(f"{name}\n" for name in names)


def env(
    name: str | None,
    *,
    shell: str | None = None,
    swarm: bool = False,
    unset: bool = False,
    no_proxy: bool = False,
    json: bool = False,
) -> str:
    """Give the commands that point this shell's docker at a machine, or back. Warns of certificates about to end."""
    from cli import output, shells

    if unset and name is not None:
        raise UsageError("Expected no machine name when the -u flag is present", mend="mctl env -u")
    known = shells.chosen(shell) if shell else "" if json else shells.current()
    variables = _unset(no_proxy=no_proxy) if unset else _set(_reachable(name, swarm=swarm), no_proxy=no_proxy)
    if json:
        return _json(variables)
    flags: list[str | None] = [
        f"--shell {shell}" if shell else "",
        "--no-proxy" if no_proxy else "",
        "-u" if unset else "",
    ]
    flags += ["--swarm" if swarm else "", name]
    return shells.script(known, variables, " ".join([output.program, "env", *filter(None, flags)]))


def _json(value: Any) -> str:
    from cli.output import as_json

    return as_json(value)


def _find(name: str | None) -> records.Record:
    """Load a record; only where there is none, or an old one, is it worth importing what looks further."""
    try:
        record = records.load(name or records.DEFAULT)
        if not record.is_old:
            return record
    except NotFoundError:
        pass
    from infra.stacks import lookup

    return lookup.find(name)


def _running(name: str | None) -> records.Record:
    record = _find(name)
    if not record.running:
        raise HostError(
            f'machine "{record.name}" is not running', machine=record.name, mend=f"mctl start {record.name}"
        )
    return record


def _reachable(name: str | None, *, swarm: bool) -> records.Record:
    """Find the machine that a client is about to use, and warn where that will soon fail."""
    from infra.stacks import expiry

    record = _manager(name) if swarm else _running(name)
    ending = expiry.warning(record)
    if ending:
        from cli.output import say

        say("Warning", f'machine "{record.name}": {ending}', expiry.mend(record))
    return record


def _manager(name: str | None) -> records.Record:
    """Find a machine that manages a Swarm, or of the Swarm that a stack's machines form a manager that is up."""
    if name and not records.exists(name):
        members = [each for each in map(records.load, records.names()) if each.stack == name and each.swarm]
        if members:
            from infra.stacks import swarm_nodes

            return swarm_nodes.manager_of(name, members)
    record = _running(name)
    if record.swarm != "manager":
        raise HostError(
            f'"{record.name}" is not a swarm master. The --swarm flag is intended for use with swarm masters',
            machine=record.name,
            mend=f"leave --swarm off: mctl env {record.name}",
        )
    return record


def _filtered(given: Sequence[str], timeout: float) -> list[str]:
    from infra.stacks.filters import Filters

    filters = Filters(given)
    if not filters.ask:
        return filters.recorded()
    from infra.stacks import listing

    return [machine.name for machine in listing.machines(timeout, filters)[0]]


def _set(record: records.Record, *, no_proxy: bool) -> dict[str, str | None]:
    variables: dict[str, str | None] = {
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_HOST": record.docker_url,
        "DOCKER_CERT_PATH": record.folder,
        "DOCKER_MACHINE_NAME": record.name,
    }
    if os.name == "nt":
        variables["COMPOSE_CONVERT_WINDOWS_PATHS"] = "true"
    if no_proxy:
        variable, hosts = _proxy_exceptions()
        variables[variable] = ",".join(hosts if record.address in hosts else [*hosts, record.address])
    return variables


def _unset(*, no_proxy: bool) -> dict[str, str | None]:
    keys = ["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"]
    if os.name == "nt":
        keys.append("COMPOSE_CONVERT_WINDOWS_PATHS")
    variables: dict[str, str | None] = dict.fromkeys(keys)
    if no_proxy:
        ours = os.environ.get("DOCKER_HOST", "").removeprefix("tcp://").rpartition(":")[0].strip("[]")
        variable, hosts = _proxy_exceptions()
        variables[variable] = ",".join(host for host in hosts if host != ours) or None
    return variables


def _proxy_exceptions() -> tuple[str, list[str]]:
    """Find the variable that names the hosts to reach without a proxy, and those hosts."""
    variable = next((name for name in NO_PROXY if os.environ.get(name)), "NO_PROXY")
    return variable, [host.strip() for host in os.environ.get(variable, "").split(",") if host.strip()]
