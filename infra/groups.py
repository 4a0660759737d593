"""Machines declared by the number: what `mctl:groups` in Pulumi.<stack>.yaml means. Standard library only.

A group `web` with a `count` of 3 declares web-1, web-2 and web-3. A large one is spread over several stacks, for what
the Pulumi engine does grows with the square of a stack's resources: the stack `prod` has the first `per_stack` of each
group, the stack `prod_2` the next. So a machine's number alone says which stack it is in, and it never moves.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from infra.errors import UsageError
from infra.machine import MachineSpec, check_name, suggest

COUNT, PER_STACK, OWN, ABSENT = "count", "per_stack", "machines", "absent"
NESTED = ("engine", "options")  # an override says what differs in them
SHARED = {each.name for each in fields(MachineSpec)} - {"name", "formerly", "adopted"}
PART = re.compile(r"(?P<fleet>.+)_(?P<number>[2-9]|[1-9][0-9]+)")  # no machine's name has a `_`


@dataclass(frozen=True, kw_only=True)
class Group:
    """One entry of `mctl:groups`.

    shared: the settings of each of its machines, as under `mctl:machines`. own: by machine, what differs; a setting
    that is null counts as not given, and `absent: true` leaves the machine out. per_stack: 0 means all in one stack.
    """

    name: str
    count: int
    shared: Mapping[str, Any]
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    per_stack: int = 0

    @classmethod
    def from_config(cls, name: str, declared: Any) -> Group:
        """Read one entry. Raises UsageError naming what is wrong with it."""
        check_name(name)
        if not isinstance(declared, Mapping):
            raise UsageError(f"mctl:groups: {name} is not a mapping")
        shared = {str(key): value for key, value in declared.items()}
        count, per_stack = (_whole(name, key, shared.pop(key, 0)) for key in (COUNT, PER_STACK))
        if COUNT not in declared:
            raise UsageError(f"mctl:groups: {name} has no `count`")
        own = shared.pop(OWN, None) or {}
        _refuse_unknown(f"mctl:groups: {name}", shared, SHARED | {COUNT, PER_STACK, OWN})
        group = cls(name=name, count=count, shared=shared, own=_own(name, own), per_stack=per_stack)
        for machine in group.own:
            if not _number(name, machine):
                raise UsageError(f"mctl:groups: {name}.machines has {machine!r}: they are {name}-1, {name}-2, …")
        return group

    @property
    def parts(self) -> int:
        """Tell how many stacks it takes."""
        return -(-self.count // self.per_stack) if self.per_stack and self.count else 1

    def number(self, machine: str) -> int | None:
        """Give the number of a machine, also of one that is left out; None where it is not of this group."""
        number = _number(self.name, machine)
        return number if 0 < number <= self.count else None

    def is_absent(self, number: int) -> bool:
        """Tell whether a number is left out."""
        return self.own.get(f"{self.name}-{number}", {}).get(ABSENT) in (True, "true")

    def members(self, part: int = 1) -> dict[str, dict[str, Any]]:
        """Give the machines that are in one of its stacks, as entries of `mctl:machines`."""
        numbers = range(1, self.count + 1)
        if self.per_stack or part > 1:
            numbers = numbers[(part - 1) * self.per_stack : part * self.per_stack]
        return {f"{self.name}-{number}": self._entry(number) for number in numbers if not self.is_absent(number)}

    def all_members(self) -> dict[str, dict[str, Any]]:
        """Give the machines of all of its stacks."""
        return {name: entry for part in range(1, self.parts + 1) for name, entry in self.members(part).items()}

    def count_for(self, present: int) -> int:
        """Give the count with which so many machines are there, those that are left out not counted."""
        number = 0
        while present:
            number += 1
            present -= not self.is_absent(number)
        return number

    def difference(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Say as an override what makes a machine of this group what the entry says."""
        own = _differing(self.shared, entry, skip=NESTED)
        for key in NESTED:
            nested = _differing(self.shared.get(key) or {}, entry.get(key) or {})
            own |= {key: nested} if nested else {}
        return own

    def _entry(self, number: int) -> dict[str, Any]:
        entry, own = dict(self.shared), self.own.get(f"{self.name}-{number}", {})
        for key, value in own.items():
            entry[key] = _merged(entry.get(key) or {}, value) if key in NESTED and value else value
        return {key: value for key, value in entry.items() if value is not None and key != ABSENT}


def read_groups(declared: Any) -> dict[str, Group]:
    """Read `mctl:groups`. Raises UsageError."""
    if not isinstance(declared or {}, Mapping):
        raise UsageError("mctl:groups is not a mapping of names to groups")
    return {str(name): Group.from_config(str(name), entry) for name, entry in (declared or {}).items()}


def expand(machines: Any, groups: Any, stack: str, fleet: str = "") -> dict[str, Any]:
    """Give every machine that a stack declares, one by one or by the number, as entries of `mctl:machines`.

    fleet: the stack whose part this one is, if any. Raises UsageError.
    """
    if not isinstance(machines or {}, Mapping):
        raise UsageError("mctl:machines is not a mapping of machine names to settings")
    declared = {str(name): entry for name, entry in (machines or {}).items()}
    for group in read_groups(groups).values():
        members = group.members(part_number(stack, fleet))
        both = next((name for name in members if name in declared), None)
        if both:
            raise UsageError(f"machine {both} is declared twice: it is one of the group {group.name} too", machine=both)
        declared |= members
    return declared


def put_own(entry: dict[str, Any], machine: str, own: Mapping[str, Any]) -> None:
    """Write into a group's entry what differs for one machine."""
    if own:
        entry.setdefault(OWN, {})[machine] = dict(own)
    else:
        (entry.get(OWN) or {}).pop(machine, None)


def leave_out(declared: dict[str, Any], name: str, machine: str) -> None:
    """Take a machine out of a group: the last lowers the count, another is marked; a group that has none goes."""
    entry = declared[name]
    group = Group.from_config(name, entry)
    (entry.get(OWN) or {}).pop(machine, None)
    if (group.number(machine) or 0) < group.count:
        put_own(entry, machine, {ABSENT: True})
    else:
        set_count(entry, group, group.count - 1)
    if not entry[COUNT]:
        del declared[name]


def set_count(entry: dict[str, Any], group: Group, count: int) -> None:
    """Write a group's count, less what is left out at its end."""
    while count and group.is_absent(count):
        count -= 1
    entry[COUNT] = count
    own = entry.get(OWN) or {}
    for machine in [name for name in own if _number(group.name, name) > count and ABSENT in own[name]]:
        del own[machine]
    if not own:
        entry.pop(OWN, None)


def part_name(fleet: str, number: int) -> str:
    """Name the stack that has a part of a fleet."""
    return fleet if number == 1 else f"{fleet}_{number}"


def part_number(stack: str, fleet: str = "") -> int:
    """Tell which part of a fleet a stack has. Raises UsageError for a stack that can't be one."""
    if not fleet or stack == fleet:
        return 1
    found = PART.fullmatch(stack)
    if not found or found["fleet"] != fleet:
        raise UsageError(f"mctl:partOf: {fleet}: the stack {stack} is not called {fleet}_2, {fleet}_3, …")
    return int(found["number"])


def _number(group: str, machine: str) -> int:
    """Read a machine's number in a group; 0 where it can't be of that group."""
    stem, _, digits = machine.rpartition("-")
    return int(digits) if stem == group and re.fullmatch(r"[1-9][0-9]*", digits, re.ASCII) else 0


def _merged(base: Mapping[str, Any], own: Any) -> Any:
    if not isinstance(base, Mapping) or not isinstance(own, Mapping):
        return own  # who reads it refuses it
    return {key: value for key, value in {**base, **own}.items() if value is not None}


def _differing(base: Mapping[str, Any], entry: Mapping[str, Any], skip: tuple[str, ...] = ()) -> dict[str, Any]:
    keys = [key for key in {**base, **entry} if key not in skip]
    return {key: entry.get(key) for key in keys if entry.get(key) != base.get(key)}


def _own(group: str, own: Any) -> dict[str, Mapping[str, Any]]:
    if not isinstance(own, Mapping) or not all(isinstance(entry, Mapping) for entry in own.values()):
        raise UsageError(f"mctl:groups: {group}.machines is not a mapping of machine names to settings")
    for name, entry in own.items():
        _refuse_unknown(f"mctl:groups: {group}.machines.{name}", entry, SHARED | {ABSENT})
    return {str(name): entry for name, entry in own.items()}


def _refuse_unknown(where: str, entry: Mapping[str, Any], known: set[str]) -> None:
    for key in entry:
        if key not in known:
            raise UsageError(f"{where} has no setting {key!r}{suggest(str(key), sorted(known))}")


def _whole(group: str, key: str, value: Any) -> int:
    """Read a whole number, which what is read fast has as text."""
    if isinstance(value, bool) or not str(value).isascii() or not str(value).isdigit():
        raise UsageError(f"mctl:groups: {group}.{key} is {value!r} and must be a whole number from 0")
    return int(value)
