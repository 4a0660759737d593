"""A Swarm: the machines of one stack as its managers and workers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_command as command

from infra.components import drivers
from infra.components.engine_scripts import swarm as scripts
from infra.components.machine import Machine
from infra.errors import UsageError
from infra.machine import MANAGER, PRIVATE_NETWORKS, WORKER, MachineSpec, SwarmSpec

LIMIT = pulumi.CustomTimeouts(create="10m", update="10m")
# What a host that is switched off must not be asked to do.
INPUTS = ["connection", "create", "stdin", "triggers", "update"]
LIVE_RESTORE = "live-restore"


@dataclass(frozen=True)
class Member:
    """One machine of a Swarm."""

    spec: MachineSpec
    machine: Machine
    role: str

    @property
    def advertised(self) -> pulumi.Output[str]:
        """The address that other nodes reach it by: its private one where it has one."""
        addresses = pulumi.Output.all(self.machine.vm.private_address, self.machine.vm.address)
        return addresses.apply(lambda known: str(known[0] or known[1]))


class Swarm(pulumi.ComponentResource):
    """Begin a Swarm on its lead, let the other machines join, and give every node its role and labels.

    `outputs` holds the tokens and the unlock key, all secret. What a machine is asked to do again does nothing where it
    is done: the command of the lead is never replaced, so that its place taken by an empty host begins no second Swarm.
    """

    outputs: dict[str, pulumi.Output[Any]]

    def __init__(
        self, name: str, spec: SwarmSpec, specs: Sequence[MachineSpec], machines: Mapping[str, Machine]
    ) -> None:
        super().__init__("mctl:infra:Swarm", name, {})
        managers = spec.managers_of(specs)
        members = {each.name: Member(each, machines[each.name], role(each.name, managers)) for each in specs}
        leading = members[spec.lead_of(specs)]
        self._opts = pulumi.ResourceOptions(parent=self, custom_timeouts=LIMIT)
        encrypted = all(drivers.load(each.provider).passes_esp for each in specs)
        self._lead = self._begin(name, spec, leading, encrypted=encrypted)
        stdout: pulumi.Output[str] = pulumi.Output.secret(self._lead.stdout)
        said = stdout.apply(scripts.said)
        self.outputs = {
            key.replace("-", "_"): said.apply(lambda lines, key=key: lines.get(key, ""))  # type: ignore[misc]
            for key in ("worker-token", "manager-token", "unlock-key")
        }
        nodes = self._join(members, leading)
        self._settle(name, members, leading, nodes)
        self.register_outputs(self.outputs)

    def _begin(self, name: str, spec: SwarmSpec, leading: Member, *, encrypted: bool) -> command.remote.Command:
        address = leading.advertised.apply(
            lambda known: scripts.joining(role=MANAGER, token="", unlock="", advertise=known, managers=())
        )
        machine, facts = leading.spec.name, {"autolock": spec.autolock, "encrypted": encrypted}
        return command.remote.Command(
            f"{name}-swarm-lead",
            create=scripts.lead(machine, **facts, may_begin=True),
            update=scripts.lead(machine, **facts, may_begin=False),
            stdin=address,
            **self._on(leading),
            opts=self._options(leading, depends_on=[leading.machine], additional_secret_outputs=["stdout"]),
        )

    def _join(self, members: Mapping[str, Member], leading: Member) -> dict[str, pulumi.Output[str]]:
        """Let managers join one after the other, for each changes how many must agree, and workers at once."""
        managers = [leading, *(each for each in members.values() if each.role == MANAGER and each is not leading)]
        workers = [each for each in members.values() if each.role == WORKER]
        nodes, last = {}, self._lead
        for member in (*managers, *workers):
            joined = self._member(member, managers, last)
            nodes[member.spec.name] = joined.stdout.apply(lambda stdout: scripts.said(stdout).get("node", ""))
            last = joined if member.role == MANAGER else last
        return nodes

    def _member(self, member: Member, managers: Sequence[Member], after: pulumi.Resource) -> command.remote.Command:
        own = member.spec
        others = pulumi.Output.all(*(each.advertised for each in managers if each is not member))
        facts = pulumi.Output.all(
            self.outputs[f"{member.role}_token"], self.outputs["unlock_key"], member.advertised, others
        )
        script = scripts.member(own.name)
        aliases = [pulumi.Alias(name=f"{own.formerly}-swarm")] if own.formerly else None
        return command.remote.Command(
            f"{own.name}-swarm",
            create=script,
            update=script,
            stdin=facts.apply(lambda known: _stdin(member.role, *known)),
            triggers=[member.machine.vm.instance_id],
            **self._on(member),
            opts=self._options(
                member, depends_on=[member.machine, after], deleted_with=member.machine.vm.resource, aliases=aliases
            ),
        )

    def _settle(
        self, name: str, members: Mapping[str, Member], leading: Member, nodes: Mapping[str, pulumi.Output[str]]
    ) -> None:
        there = {each: member for each, member in members.items() if member.spec.running}
        labels = {each: member.spec.engine.labels for each, member in there.items()}
        script = scripts.settle(leading.spec.name)

        def stdin(known: Any) -> str:
            unlock, ids = known
            return scripts.declared([(each, ids[each], there[each].role) for each in there], labels, unlock)

        command.remote.Command(
            f"{name}-swarm-nodes",
            create=script,
            update=script,
            stdin=pulumi.Output.all(self.outputs["unlock_key"], {each: nodes[each] for each in there}).apply(stdin),
            **self._on(leading),
            opts=self._options(leading),
        )

    def _on(self, member: Member) -> dict[str, Any]:
        return {
            "connection": member.machine.connection,
            "logging": command.remote.Logging.STDERR,
            "add_previous_output_in_env": False,
        }

    def _options(self, member: Member, **more: Any) -> pulumi.ResourceOptions:
        ignored = None if member.spec.running else INPUTS
        return pulumi.ResourceOptions.merge(self._opts, pulumi.ResourceOptions(ignore_changes=ignored, **more))


def role(name: str, managers: Sequence[str]) -> str:
    """Name what a machine is in its Swarm."""
    return MANAGER if name in managers else WORKER


def check(spec: SwarmSpec, specs: Sequence[MachineSpec]) -> None:
    """Refuse machines that can form no Swarm. Raises UsageError."""
    for each in specs:
        if not drivers.load(each.provider).has_host:
            raise UsageError(
                f"provider {each.provider} changes nothing on the daemon's host, so it can join no Swarm",
                machine=each.name,
            )
        _check_reach(spec, each, alone=len(specs) == 1)
        if any(opt.lstrip("-").partition("=")[0] == LIVE_RESTORE for opt in each.engine.opts):
            raise UsageError(
                f"--engine-opt {LIVE_RESTORE}: Swarm mode excludes it",
                machine=each.name,
                mend=f"leave --engine-opt {LIVE_RESTORE} off",
            )


def _check_reach(spec: SwarmSpec, machine: MachineSpec, *, alone: bool) -> None:
    driver = drivers.load(machine.provider)
    if driver.is_local and not alone:
        raise UsageError(
            f"machines of provider {driver.name} don't reach each other, so they form no Swarm", machine=machine.name
        )
    if driver.name == "azure" and not machine.options.get("vnet"):
        raise UsageError(
            "each machine of provider azure has a network of its own, so they form no Swarm",
            machine=machine.name,
            mend="put them into one that exists: --azure-vnet",
        )
    if driver.closes and not driver.private_address and spec.networks == PRIVATE_NETWORKS:
        raise UsageError(
            f"machines of provider {driver.name} have no private addresses that its firewall could let in",
            machine=machine.name,
            mend="name the networks of their public ones as networks under mctl:swarm",
        )


def _stdin(role: str, token: str, unlock: str, advertise: str, managers: Sequence[str]) -> str:
    return scripts.joining(role=role, token=token, unlock=unlock, advertise=advertise, managers=managers)
