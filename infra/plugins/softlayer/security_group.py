"""`softlayer:index:SecurityGroup`: what may reach a guest's network interfaces, and what they may reach.

Inputs: name, description, rules (mappings of direction, ethertype, protocol, portRangeMin, portRangeMax and remoteIp;
what is left out is any), endpoint. Outputs: the same.
Source: https://cloud.ibm.com/docs/security-groups
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, ClassVar

from SoftLayer import NetworkManager

from infra.plugins.server import Operation, PluginError
from infra.plugins.softlayer import api
from infra.plugins.softlayer.resource import Declared, client
from infra.plugins.wire import Properties, plain

TOKEN = "softlayer:index:SecurityGroup"  # noqa: S105 - a type's name
RULE = ("direction", "ethertype", "protocol", "portRangeMin", "portRangeMax", "remoteIp")
MASK = f"id,name,description,rules[id,{','.join(RULE)}]"
Rule = tuple[tuple[str, str], ...]


class SecurityGroup(Declared):
    """Make, look at, change and delete a group."""

    required = frozenset({"name"})
    defaults: ClassVar[Properties] = {"description": "", "rules": []}

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it with its rules; take over what a killed run of the same program left."""
        if op.preview:
            return "", self.unsure(op.news)
        manager, values = NetworkManager(client(op.news)), plain(op.news)
        named = {"name": values["name"], "description": values["description"]}
        listed = await api.ask(manager.list_securitygroups, mask="id,name,description")
        left = [each["id"] for each in listed if named.items() <= each.items()]
        made = left[0] if left else (await api.ask(manager.create_securitygroup, **named))["id"]
        try:
            await _set_rules(manager, made, values["rules"])
        except BaseException:  # also a cancellation: nobody would know of what is left
            await asyncio.shield(api.found(manager.delete_securitygroup, made))
            raise
        return str(made), op.news

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at it; rules come in no order."""
        known = op.old_inputs or op.olds
        there = await api.found(NetworkManager(client(known)).get_securitygroup, int(op.id), mask=MASK)
        if there is None:
            return None
        rules = [dict(_rule(rule)) for rule in there["rules"]]
        if {_rule(rule) for rule in rules} == {_rule(rule) for rule in plain(known.get("rules", []))}:
            rules = known["rules"]
        inputs = known | {"name": there["name"], "description": there.get("description") or "", "rules": rules}
        return inputs, inputs

    async def update(self, op: Operation) -> Properties:
        """Change its name, its description and those rules that differ."""
        if not op.preview:
            manager, values = NetworkManager(client(op.news)), plain(op.news)
            edit = manager.edit_securitygroup
            if await api.found(edit, int(op.id), name=values["name"], description=values["description"]) is None:
                raise PluginError(f"security group {op.name} is gone. Run refresh, then up, to make it again")
            await _set_rules(manager, int(op.id), values["rules"])
        return op.news

    async def delete(self, op: Operation) -> None:
        """Delete it."""
        await api.found(NetworkManager(client(op.olds)).delete_securitygroup, int(op.id))


async def _set_rules(manager: Any, group: int, wanted: list[dict[str, Any]]) -> None:
    there = {_rule(rule): rule["id"] for rule in await api.ask(manager.list_securitygroup_rules, group)}
    new = [rule for rule in wanted if _rule(rule) not in there]
    if new:  # first, so that nobody is locked out in between
        await api.ask(manager.add_securitygroup_rules, group, new)
    kept = {_rule(rule) for rule in wanted}
    old = [number for rule, number in there.items() if rule not in kept]
    if old:
        await api.ask(manager.remove_securitygroup_rules, group, old)


def _rule(rule: Mapping[str, Any]) -> Rule:
    """Give a rule so that it can be compared: as text, without what the API says is any."""
    return tuple((key, str(rule[key])) for key in RULE if rule.get(key) not in (None, ""))
