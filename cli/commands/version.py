"""mctl version: show the version of mctl, or of a machine's Docker."""

from __future__ import annotations

import typer

from cli.options import Json, MachineName, Timeout
from cli.output import as_json, table


def version(name: MachineName = None, *, timeout: Timeout = 10, json: Json = False) -> None:
    """Show the version of mctl, of the Pulumi engine and its plugins; with NAME, that of the machine's Docker Engine.

    Example: `mctl version web-1`
    """
    if name is None:
        typer.echo(_all_versions(json=json), nl=False)
        return
    found = _engine_version(name, timeout)
    typer.echo(as_json({"name": name, "docker_version": found}) if json else f"{found}\n", nl=False)


def own_version() -> str:
    """Give the version of the installed package."""
    from importlib.metadata import version as installed

    return installed("mctl")


def _all_versions(*, json: bool) -> str:
    from infra.stacks.doctor import programs

    own, found = own_version(), programs()
    if json:
        return as_json({"version": own, "programs": {finding.name: finding.value for finding in found}})
    return f"mctl version {own}\n" + table([(finding.name, finding.value) for finding in found])


def _engine_version(name: str, timeout: float) -> str:
    from infra.errors import HostError
    from infra.stacks import lookup, states

    state = states.probe(lookup.find(name), timeout)
    if not state.docker_version:
        reason = state.error or f"it is {state.word}"
        mend = f"mctl start {name}" if state.word == states.STOPPED else f"mctl refresh {name}, then mctl up {name}"
        raise HostError(f'machine "{name}" does not tell its Docker version: {reason}', machine=name, mend=mend)
    return state.docker_version
