"""The Pulumi program: the stack's config becomes one Machine per entry, and a Swarm of them where it asks for one."""

from __future__ import annotations

import os
from collections.abc import Callable, Container, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pulumi

from infra.authority import AuthoritySpec
from infra.components import refusals, swarm
from infra.components.machine import Machine
from infra.components.tls import Authority
from infra.groups import expand
from infra.machine import NAMESPACE, MachineSpec, SwarmSpec
from infra.stacks.owner import owner


def machines(
    folder: str | None = None,
    tell: Callable[[dict[str, dict[str, Any]]], None] | None = None,
    instead: Mapping[str, MachineSpec] | None = None,
    without: Container[str] = (),
) -> dict[str, Machine]:
    """Declare every machine of the stack's config, export their outputs by name as `machines`, and give them by name.

    folder: the project's, by default that of the program that runs; what the config names relative to it is found
    there. tell: is given the outputs once all are known, secrets in clear. instead: machines to take as these, not as
    the config has them. without: machines that are about to be removed. Raises UsageError where the config is missing
    or can't mean anything.
    """
    folder = folder or pulumi.runtime.get_root_directory() or ""
    config = pulumi.Config(NAMESPACE)
    declared = [(instead or {}).get(spec.name, spec) for spec in _declared(config)]
    here = [spec.with_files(lambda path: os.path.join(folder, path)) for spec in declared]
    specs = [spec for spec in here if spec.name not in without]
    for spec in specs:
        refusals.check(spec)
    made = _made(config, specs, config.get("owner") or owner(Path(folder))) if specs else {}
    outputs = {name: machine.outputs for name, machine in made.items()}
    pulumi.export("machines", outputs)
    if tell and made:
        pulumi.Output.from_input(outputs).apply(tell)
    return made


def _made(config: pulumi.Config, specs: list[MachineSpec], ours: str) -> dict[str, Machine]:
    swarm_spec = SwarmSpec.from_config(config.get_object("swarm"))
    if swarm_spec:
        swarm.check(swarm_spec, specs)
        specs = [replace(spec, swarm_networks=spec.swarm_networks or swarm_spec.networks) for spec in specs]
    plan = AuthoritySpec.from_config(config.get_object("authority"))
    authority = Authority(pulumi.get_stack(), plan, config.get_secret_object("adoptedAuthority"))
    managers = swarm_spec.managers_of(specs) if swarm_spec else []
    roles = {spec.name: swarm.role(spec.name, managers) for spec in specs} if swarm_spec else {}
    made = {
        spec.name: Machine(
            spec.name, authority=authority, owner=ours, swarm=roles.get(spec.name, ""), **spec.to_config()
        )
        for spec in specs
    }
    if swarm_spec:
        pulumi.export("swarm", swarm.Swarm(pulumi.get_stack(), swarm_spec, specs, made).outputs)
    return made


def _declared(config: pulumi.Config) -> list[MachineSpec]:
    machines, groups = config.get_object("machines"), config.get_object("groups")
    declared = expand(machines, groups, pulumi.get_stack(), config.get("partOf") or "")
    return [MachineSpec.from_config(name, entry) for name, entry in declared.items()]
