"""mctl set: change a machine's settings."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from cli import create_options as options_of
from cli.confirm import confirmed
from cli.driver_options import provider_of_machine, with_driver_options
from cli.options import Json, machine_names
from cli.output import as_json
from cli.progress import progress

if TYPE_CHECKING:
    from infra.stacks.changes import Plan

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the machine", autocompletion=machine_names)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")]
AllowReplace = Annotated[
    bool, typer.Option("--allow-replace", help="Replace the VM where it takes that; its data is lost")
]
DryRun = Annotated[bool, typer.Option("--dry-run", "--preview", help="Say what it would do, and do nothing")]
Install = Annotated[str | None, get_args(options_of.Install)[1]]
Version = Annotated[str | None, get_args(options_of.Version)[1]]
StorageDriver = Annotated[str | None, get_args(options_of.StorageDriver)[1]]
Jump = Annotated[str | None, get_args(options_of.Jump)[1]]
JumpHostKey = Annotated[str | None, get_args(options_of.JumpHostKey)[1]]
JumpKey = Annotated[str | None, get_args(options_of.JumpKey)[1]]
UserData = Annotated[str | None, get_args(options_of.UserData)[1]]


def _set(
    name: Name,
    *,
    tls_san: options_of.TlsSan = None,
    ssh_proxy_jump: Jump = None,
    ssh_proxy_host_key: JumpHostKey = None,
    ssh_proxy_key: JumpKey = None,
    allow_cidr: options_of.AllowCidr = None,
    user_data: UserData = None,
    provision_script: options_of.ProvisionScripts = None,
    engine_install: Install = None,
    engine_version: Version = None,
    engine_opt: options_of.Opt = None,
    engine_label: options_of.Label = None,
    engine_insecure_registry: options_of.Insecure = None,
    engine_registry_mirror: options_of.Mirror = None,
    engine_storage_driver: StorageDriver = None,
    engine_env: options_of.Env = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    allow_replace: AllowReplace = False,
    json: Json = False,
    options: Mapping[str, Any],
) -> None:
    """Change settings of a machine, and say before what that takes: nothing, a restart, or a new VM.

    Options are those of `create`, after the name; the provider's also without its name: `--memory`. An option that may
    be repeated replaces the whole list, and an empty value clears it. What is not given stays. Asks before it restarts
    or replaces anything.

    Example: `mctl set web-1 --engine-label tier=web --tls-san web.example.com`
    """
    from infra.stacks import changes

    engine = {
        "install": engine_install,
        "version": engine_version,
        "opts": engine_opt,
        "labels": engine_label,
        "insecure_registries": engine_insecure_registry,
        "registry_mirrors": engine_registry_mirror,
        "storage_driver": engine_storage_driver,
        "env": engine_env,
    }
    of_machine = {
        "tls_sans": tls_san,
        "ssh_proxy_jump": ssh_proxy_jump,
        "ssh_proxy_host_key": ssh_proxy_host_key,
        "ssh_proxy_key": ssh_proxy_key,
        "allow_cidrs": allow_cidr,
        "user_data": user_data,
        "provision_scripts": provision_script,
    }
    settings = changes.Settings(_given(engine), _given(of_machine), _given(options))
    with progress() as report:
        plan = changes.plan(name, settings, report)
    if json:
        effects = {machine: effect.text for machine, effect in plan.effects.items()}
        typer.echo(as_json({"name": name, "declared": plan.spec.to_config(), "effects": effects}), nl=False)
    if not plan.is_new and not plan.effects:
        typer.echo(f'Machine "{name}" is set so already.', err=json)
        return
    for machine, effect in plan.effects.items() if not json else ():
        typer.echo(f"{machine}: {effect.text}", err=not dry_run)
    if dry_run or not _allowed(plan, yes=yes, allow_replace=allow_replace):
        return
    with progress() as report:
        changes.apply(plan, report)
    typer.echo(f'Machine "{name}" was changed.', err=json)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what was not given; an empty text in a list clears it."""
    return {
        key: tuple(filter(None, value)) if isinstance(value, list) else value
        for key, value in values.items()
        if value is not None
    }


def _allowed(plan: Plan, *, yes: bool, allow_replace: bool) -> bool:
    """Ask where something restarts or is lost. Raises UsageError where nobody answers."""
    worst = max(plan.effects.values(), default=None)
    if worst is None or not worst.asks or (allow_replace if worst.loses_data else yes or allow_replace):
        return True
    flag = "--allow-replace" if worst.loses_data else "--yes"
    return confirmed("Are you sure?", f"mctl set {plan.spec.name} {flag} …")


set = with_driver_options(_set, provider_of_machine(sys.argv[1:]), changing=True)  # noqa: A001 - the verb's name
