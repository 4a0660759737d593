"""A stand-in for a provider's plugin: it takes what the real SDK sends, and refuses what the real API would refuse.

Which inputs there are, and which are required, is read from the SDK's own classes.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from infra.plugins.server import CheckFailure, Diff, Operation, Plugin, PluginError, Resource
from infra.plugins.wire import UNKNOWN, Properties, has_unknown, plain, secret
from tests.clouds.world import Facts, World

OPTIONS = {"self", "__self__", "resource_name", "opts", "__props__"}


class StandIn(Resource):
    """One resource type of a cloud.

    sdk: the SDK's class. kind: its name in the world. required: inputs that the API wants and the SDK's types don't.
    replaces: inputs that can't be changed. computed: outputs that are not known before it is made. secrets: outputs.
    """

    sdk: ClassVar[type[Any]]
    kind: ClassVar[str]
    required: ClassVar[frozenset[str]] = frozenset()
    replaces: ClassVar[frozenset[str]] = frozenset()
    computed: ClassVar[frozenset[str]] = frozenset()
    secrets: ClassVar[frozenset[str]] = frozenset()

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        """Say what the API would refuse when it is made: names, sizes, references to what is not there."""
        del world, news
        yield from ()

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        """Make it: its id, and the facts that the world keeps and the outputs that are more than its inputs."""
        del news
        return str(world.number()), {}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        """Change it in place: what else is different now than the inputs say."""
        del world, facts, news
        return {}

    def look(self, world: World, facts: Facts) -> Facts:
        """Say what is different now than when it was made or changed."""
        del world, facts
        return {}

    def unmake(self, world: World, facts: Facts) -> None:
        """Delete what is behind it. Raises PluginError where something still uses it."""

    def default(self, op: Operation, news: Facts) -> Facts:
        """Give inputs that the real plugin fills in."""
        del op, news
        return {}

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Refuse unknown and missing inputs, as the bridge to the provider does."""
        known, wanted = inputs_of(self.sdk)
        failures = [CheckFailure(key, f"unknown input {key!r}") for key in op.news if key not in known]
        failures += [
            CheckFailure(key, f"missing required input {key!r}")
            for key in wanted | self.required
            if op.news.get(key) in (None, "")
        ]
        return {**self.default(op, plain(op.news)), **op.news}, failures

    def diff(self, op: Operation) -> Diff:
        """Compare the inputs."""
        olds, news = plain(op.old_inputs), plain(op.news)
        keys = olds.keys() | news.keys()
        changed = sorted(key for key in keys if olds.get(key) != news.get(key) and key not in op.ignore_changes)
        return Diff(tuple(changed), tuple(key for key in changed if key in self.replaces))

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it in the world."""
        if op.preview:
            return "", op.news | dict.fromkeys(self.computed, UNKNOWN)
        world, news = World.here(), plain(op.news)
        self._call(world, "create")
        self._refuse(world, news)
        made, more = await asyncio.to_thread(self.make, world, news)  # instances boot side by side
        world.put(self.kind, made, {**news, **more})
        return made, self._outputs(op.news, more)

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at it as the world has it."""
        world = World.here()
        self._call(world, "read")
        facts = world.get(self.kind, op.id)
        if facts is None:
            return None
        facts = {**facts, **self.look(world, facts)}
        world.put(self.kind, op.id, facts)
        inputs = {
            key: facts.get(key) if plain(value) != facts.get(key) else value for key, value in op.old_inputs.items()
        }
        more = {key: value for key, value in facts.items() if key not in inputs and key != "id"}
        return self._outputs(inputs, more), inputs

    async def update(self, op: Operation) -> Properties:
        """Change it in the world."""
        if op.preview:
            return op.olds | op.news
        world, news = World.here(), plain(op.news)
        self._call(world, "update")
        facts = world.get(self.kind, op.id)
        if facts is None:
            raise PluginError(f"404 {self.kind} {op.id} not found")
        self._refuse(world, {**news, "id": op.id})
        facts |= news | self.change(world, facts, news)
        world.put(self.kind, op.id, facts)
        return self._outputs(op.news, {key: value for key, value in facts.items() if key not in news and key != "id"})

    async def delete(self, op: Operation) -> None:
        """Delete it from the world; what is gone is gone."""
        world = World.here()
        self._call(world, "delete")
        facts = world.get(self.kind, op.id)
        if facts is not None:
            self.unmake(world, facts)
            world.drop(self.kind, op.id)

    def _call(self, world: World, verb: str) -> None:
        world.count(f"{verb} {self.kind}")
        if world.strikes("storm"):
            raise PluginError(f"{verb} {self.kind}: error code 429: too many requests")

    def _refuse(self, world: World, news: Facts) -> None:
        if has_unknown(news):
            raise PluginError(f"{self.kind}: an input is not known")
        for reason in self.refuse(world, news):
            raise PluginError(f"{self.kind}: {reason}")

    def _outputs(self, inputs: Properties, more: Mapping[str, Any]) -> Properties:
        outputs = {**more, **inputs}
        return {
            key: secret(value) if key in self.secrets and value is plain(value) else value
            for key, value in outputs.items()
        }


def plugin(*kinds: StandIn, invokes: Mapping[str, Callable[[Properties], Any]] | None = None) -> Plugin:
    """Make the plugin that serves these."""
    return Plugin(
        version="9.9.9",
        resources={token_of(kind.sdk): kind for kind in kinds},
        configure={"acceptSecrets": True, "acceptResources": True, "supportsPreview": True},
        invokes=invokes or {},
    )


def token_of(sdk: type[Any]) -> str:
    """Read a class's token from its source."""
    found = re.search(r"super\(\w+, __self__\)\.__init__\(\s*'([^']+)'", inspect.getsource(sdk._internal_init))
    assert found, f"{sdk} names no token"
    return found[1]


def inputs_of(sdk: type[Any]) -> tuple[set[str], set[str]]:
    """Give the inputs that a class knows, and those that it requires, as the engine spells them."""
    source = inspect.getsource(sdk._internal_init)
    names = set(inspect.signature(sdk._internal_init).parameters) - OPTIONS
    required = set(re.findall(r"Missing required property '(\w+)'", source))
    module = inspect.getsource(sys.modules[sdk.__module__])
    spelled = {name: key for key, name in re.findall(r'@pulumi\.getter\(name="(\w+)"\)\s+def (\w+)\(', module)}
    return {spelled.get(name, camel(name)) for name in names}, {spelled.get(name, camel(name)) for name in required}


def camel(name: str) -> str:
    """Spell `user_data` as `userData`."""
    first, *rest = name.strip("_").split("_")
    return first + "".join(word.capitalize() for word in rest)
