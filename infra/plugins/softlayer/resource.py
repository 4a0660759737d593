"""What the resources of this plugin share: inputs with defaults, compared one by one."""

from __future__ import annotations

from typing import Any, ClassVar

from infra.plugins.server import CheckFailure, Diff, Operation, Resource
from infra.plugins.softlayer import api
from infra.plugins.wire import UNKNOWN, Properties, plain


class Declared(Resource):
    """A resource of named inputs.

    required, defaults: together all that there are, besides `endpoint`. replacing: what can't be changed. computed:
    outputs that are known only once it is made.
    """

    required: ClassVar[frozenset[str]]
    defaults: ClassVar[Properties] = {}
    replacing: ClassVar[frozenset[str]] = frozenset()
    computed: ClassVar[frozenset[str]] = frozenset()

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Fill in defaults; refuse unknown and missing inputs."""
        given = {key: value for key, value in op.news.items() if value is not None}
        values = {"endpoint": api.ENDPOINT} | self.defaults | given
        known = self.required | self.defaults.keys() | {"endpoint"}
        unknown = [key for key in values if key not in known and not key.startswith("__")]
        missing = [key for key in sorted(self.required) if plain(values.get(key)) in (None, "")]
        failures = [CheckFailure(key, f"{op.name} has no input {key}") for key in unknown]
        return values, failures + [CheckFailure(key, f"{key} is missing") for key in missing]

    def diff(self, op: Operation) -> Diff:
        """Compare. Where the API is, is no property of what is there."""
        olds, news = plain(op.old_inputs), plain(op.news)
        changed = [key for key in news if news[key] != olds.get(key) and key not in (*op.ignore_changes, "endpoint")]
        replaces = tuple(key for key in changed if key in self.replacing)
        return Diff(tuple(changed), replaces, delete_before_replace=True)  # the new one has the old one's name

    def unsure(self, values: Properties) -> Properties:
        """Give the outputs of a preview."""
        return values | dict.fromkeys(self.computed, UNKNOWN)


def client(values: Properties) -> Any:
    """Open the API where a resource's inputs or outputs say that it is."""
    return api.client(plain(values).get("endpoint") or api.ENDPOINT)
