"""Groups of machines, and the stacks that a large one is spread over: declared, scaled, brought up, removed.

`Pulumi.<fleet>.yaml` is what people edit. The files of its further parts, `Pulumi.<fleet>_2.yaml` and so on, are
written from it before any run, each one whole in itself: `pulumi up` of a part by hand does what `mctl up` does to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from infra.components import drivers
from infra.errors import MctlError, NameTakenError, NotFoundError, UsageError
from infra.groups import COUNT, OWN, PER_STACK, Group, part_name, set_count
from infra.machine import MachineSpec, SwarmSpec, check_name
from infra.stacks import machines, project, records, swarm_nodes
from infra.stacks.progress import Report
from infra.stacks.store import Stack

# Seconds of processor for each machine in stacks of 5, 10, 20 and 60: 0.9, 0.8, 1.0 and 1.9 (bench/fleet.py). A run of
# 20 takes 330 MiB, which is what one that works beside others may take; one of 60 takes 840.
MOST_IN_A_STACK = 20


@dataclass(frozen=True)
class Fleet:
    """Machines that are to be brought to what is declared.

    stacks: those that have something to do, each whole in itself. gone: the machines that go, in natural order.
    """

    folder: Path
    name: str
    stacks: Sequence[str]
    gone: Sequence[str] = ()


def declare(spec: MachineSpec, count: int, stack: str, report: Report, swarm: SwarmSpec | None = None) -> Fleet:
    """Declare a group of machines of one kind, or go on with one whose making was stopped.

    spec: what they have in common; its name is the group's. swarm: what the stack's machines form. Raises
    NameTakenError for a group that is there, PreCreateError and UsageError before anything is written.
    """
    folder = project.find_project()
    driver = drivers.load(spec.provider)
    if not driver.makes_vm:
        raise UsageError(
            f"--count: provider {driver.name} makes no hosts, so each machine needs an address of its own",
            mend=f"declare {spec.name} under mctl:groups in Pulumi.{stack}.yaml, then mctl up {stack}",
        )
    if project.fleet_of(folder, stack) != stack:
        raise UsageError(f"stack {stack} is a part of {project.fleet_of(folder, stack)}", mend="name that one")
    known = project.groups(folder, stack).get(spec.name)
    if known and not unfinished(folder, stack):
        raise NameTakenError(f'group "{spec.name}" already exists', mend=f"mctl scale {spec.name} {count}")
    group = replace(known or Group(name=spec.name, count=0, shared={}), count=count)
    _refuse_taken(folder, stack, group, known)
    swarm = swarm_nodes.swarm_of(folder, stack, swarm)
    shared = machines.checked(folder, spec).to_config()
    Stack(folder, stack, report, make=True)  # its secrets' salt is what its parts take over
    with project.editing(folder, stack) as config:
        declared = config.setdefault(project.GROUPS, {})
        kept = {key: value for key, value in declared.get(spec.name, {}).items() if key in (PER_STACK, OWN)}
        declared[spec.name] = {COUNT: count, **shared, **kept}
        if swarm:
            config[project.SWARM] = swarm.to_config()
    spread(folder, stack)
    if swarm and spec.zones:
        for place, member in enumerate(swarm_nodes.specs(folder, stack)):
            project.declare(folder, stack, swarm_nodes.in_zone(member, place))
    return Fleet(folder, stack, unfinished(folder, stack))


def scale(name: str, present: int) -> Fleet:
    """Say what it takes for a group to have so many machines, writing nothing. Raises NotFoundError, UsageError."""
    folder, stack, group = find(name)
    return Fleet(folder, stack, (), _gone(folder, stack, group, present))


def apply_scale(name: str, present: int, report: Report, *, force: bool = False, again: str = "") -> Fleet:
    """Declare that a group has so many machines, and give what is to be brought up for it.

    Those that go leave their Swarm before. force, again: as for swarm_nodes.retire. Raises HostError, with nothing
    declared, where the others of the Swarm would lose their quorum.
    """
    folder, stack, group = find(name)
    gone = _gone(folder, stack, group, present)
    nodes = [record.name for record in swarm_nodes.members(folder, stack)]
    leaving = [machine for machine in gone if machine in nodes]
    if leaving and project.machines(folder, stack).keys() - set(gone):
        opened = Stack(folder, stack, report)
        opened.settle()
        machines.leave_swarm(opened, leaving, force=force, again=again)
    with project.editing(folder, stack) as config:
        set_count(config[project.GROUPS][name], group, group.count_for(present))
    spread(folder, stack)
    return Fleet(folder, stack, unfinished(folder, stack))


def find(name: str) -> tuple[Path, str, Group]:
    """Find a group by its name, with its project and stack. Raises NotFoundError."""
    folder = project.find_project()
    for stack in project.stacks(folder):
        group = project.groups(folder, stack).get(name)
        if group and project.fleet_of(folder, stack) == stack:
            return folder, stack, group
    raise NotFoundError(f'there is no group "{name}"', mend=f"mctl create {name} --count N …")


def groups_among(names: Sequence[str]) -> dict[str, list[str]]:
    """Find the names that groups have, and no machines; give the machines of each."""
    found = {}
    for name in names:
        if records.has_folder(name):
            continue
        with suppress(NotFoundError):
            folder, _, group = find(name)
            if not project.stack_of(folder, name):
                found[name] = list(group.all_members())
    return found


def fleet(name: str) -> Fleet:
    """Find all that a name means to `up`: a stack with its parts, or the one stack that has a machine."""
    folder, stack = machines.locate(name)
    whole = project.fleet_of(folder, stack)
    spread(folder, whole)
    stacks = [stack] if stack != whole or name != stack else [whole, *project.parts(folder, whole)]
    gone = [
        machine
        for each, made in _recorded(folder).items()
        if each in stacks
        for machine in made - project.machines(folder, each).keys() - set(project.former_names(folder, each).values())
    ]
    return Fleet(folder, stack, stacks, records.in_order(gone))


def forget(name: str, report: Report) -> None:
    """Take a group that has no machines any more out of its declaration, and its stack away where it had all of it."""
    folder, stack, _ = find(name)
    only = project.groups(folder, stack).keys() == {name} and not project.machines(folder, stack)
    if only and project.is_ours_alone(folder, stack):
        machines.end(Stack(folder, stack, report), report)
        return
    with project.editing(folder, stack) as config:
        del config[project.GROUPS][name]


def spread(folder: Path, stack: str) -> None:
    """Write down how large groups are spread over stacks, and the file of each further part."""
    large = [each for each in project.groups(folder, stack).values() if not each.per_stack]
    large = [each for each in large if each.count > MOST_IN_A_STACK]
    if large and project.SWARM not in project.settings(folder, stack):
        with project.editing(folder, stack) as config:
            for group in large:
                most = max(MOST_IN_A_STACK, _highest_made(folder, stack, group))
                config[project.GROUPS][group.name][PER_STACK] = most
    groups = project.groups(folder, stack)
    last = max([group.parts for group in groups.values()], default=1)
    beyond = [int(part.rpartition("_")[2]) for part in project.parts(folder, stack)]
    theirs = project.whole(folder, stack)
    for number in (*range(2, last + 1), *(number for number in beyond if number > last)):
        _write_part(folder, stack, number, theirs, groups)


def unfinished(folder: Path, fleet: str) -> list[str]:
    """List the stacks of a fleet whose machines are not those that are declared."""
    made = _recorded(folder)
    return [
        stack
        for stack in (fleet, *project.parts(folder, fleet))
        if (declared := project.machines(folder, stack).keys()) != made.get(stack, set())
        or (stack != fleet and not declared)
    ]


def _write_part(folder: Path, fleet: str, number: int, theirs: Mapping[str, Any], groups: Mapping[str, Group]) -> None:
    part = part_name(fleet, number)
    ours = project.whole(folder, part)
    if ours and project.fleet_of(folder, part) != fleet:
        raise NameTakenError(f"stack {part} is there already, and is no part of {fleet}", mend=f"mctl preview {part}")
    config = {key: value for key, value in ours.get("config", {}).items() if _is_of_one_stack(key)}
    shared = {key: value for key, value in theirs["config"].items() if not _is_of_one_stack(key)}
    opens = {key: value for key, value in (ours or theirs).items() if key in project.SECRETS}
    if any(theirs.get(key) != opens.get(key) for key in project.SECRETS):
        _refuse_secrets(part, shared)
    entries = shared.pop(project.GROUPS, {})
    sliced = {name: _slice(entries[name], group, number) for name, group in groups.items() if group.parts >= number}
    settings = opens | {"config": config | shared | {project.PART_OF: fleet, project.GROUPS: sliced}}
    if settings != ours:
        project.write_whole(folder, part, settings, f"Written from Pulumi.{fleet}.yaml: what is to stay is said there")


def _is_of_one_stack(key: str) -> bool:
    return key in (project.KEY, project.AUTHORITY, project.ADOPTED) or key.startswith(project.SSH_KEY)


def _slice(entry: Mapping[str, Any], group: Group, number: int) -> dict[str, Any]:
    """Give a group's entry as one part has it: what is beyond it, or before it, changes nothing in its file."""
    count, first = min(group.count, number * group.per_stack), (number - 1) * group.per_stack
    within = [name for name in entry.get(OWN) or {} if first < (group.number(name) or 0) <= count]
    own = {name: dict(entry[OWN][name]) for name in within}
    sliced = {key: value for key, value in entry.items() if key != OWN} | {COUNT: count}
    return sliced | ({OWN: own} if own else {})


def _refuse_secrets(part: str, config: Mapping[str, Any]) -> None:
    """Refuse to give a part secrets that its own key does not open."""
    for key, value in config.items():
        if isinstance(value, Mapping) and "secure" in value:
            raise UsageError(
                f"{key} is a secret, and stack {part} was made before it could share the key that opens it",
                mend=f"declare it for {part} too: pulumi config set --secret {key} … --stack {part}",
            )


def _recorded(folder: Path) -> dict[str, set[str]]:
    """Give the machines that have a record, by their stack."""
    found: dict[str, set[str]] = {}
    for name in records.names():
        try:
            record = records.load(name)
        except MctlError:
            continue
        if record.project == str(folder):
            found.setdefault(record.stack, set()).add(name)
    return found


def _highest_made(folder: Path, stack: str, group: Group) -> int:
    """Give the highest number of a group's machines that its first stack has: none of them moves to another."""
    return max([group.number(name) or 0 for name in records.of_stack(stack, str(folder))], default=0)


def _gone(folder: Path, stack: str, group: Group, present: int) -> list[str]:
    """List what goes where a group has so many machines, in natural order. Raises NameTakenError."""
    scaled = replace(group, count=group.count_for(present))
    _refuse_taken(folder, stack, scaled, group)
    kept = scaled.all_members()
    return records.in_order(machine for machine in group.all_members() if machine not in kept)


def _refuse_taken(folder: Path, stack: str, group: Group, known: Group | None) -> None:
    """Refuse names that other machines have."""
    new = group.all_members().keys() - (known.all_members().keys() if known else set())
    declared = {name: each for each in project.stacks(folder) for name in project.machines(folder, each)}
    for name in map(check_name, records.in_order(new)):
        if name in declared:
            raise NameTakenError(
                f'machine "{name}" is declared in stack {declared[name]}', machine=name, mend="choose another name"
            )
        if records.exists(name) and project.fleet_of(folder, records.load(name).stack) != stack:
            raise NameTakenError(f'machine "{name}" already exists', machine=name, mend=f"mctl inspect {name}")
