"""Which machines `ls --filter KEY=VALUE` keeps: one key's values are alternatives, different keys must all hold.

Source: docker-machine's `ls`. Imports little, for `ls -q`.
"""

from __future__ import annotations

import re

from infra.errors import MctlError, NotFoundError, RecordError
from infra.stacks import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = ("driver", "swarm", "state", "name", "label")


class Filters:
    """What was asked for, by key. Raises MctlError for a filter that means nothing."""

    def __init__(self, given: Sequence[str] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for one in given:
            key, equals, value = one.partition("=")
            if not equals:
                raise MctlError("Unsupported filter syntax", mend=f"--filter takes KEY=VALUE, not {one!r}")
            if key.lower() not in KEYS:
                raise MctlError(f"Unsupported filter key '{key}'", mend=f"--filter takes: {', '.join(KEYS)}")
            self._values.setdefault(key.lower(), []).append(value)
        self._names = [_expression(value) for value in self._values.get("name", ())]

    @property
    def ask(self) -> bool:
        """Tell whether a machine must be asked before it is known to be kept."""
        return "state" in self._values

    def keep_name(self, name: str) -> bool:
        """Tell whether a machine may be kept, by its name alone."""
        return not self._names or any(expression.search(name) for expression in self._names)

    def keep_declared(self, driver: str, labels: dict[str, str], swarm: str) -> bool:
        """Tell whether a machine may be kept, by what is known without asking it. swarm: the name of its Swarm."""
        pairs = {*labels, *(f"{key}={value}" for key, value in labels.items())}
        return self._holds("driver", {driver}) and self._holds("label", pairs) and self._holds("swarm", {swarm})

    def keep_state(self, word: str) -> bool:
        """Tell whether a machine is kept, by its state in any case of letters."""
        asked = self._values.get("state")
        return asked is None or word.lower() in map(str.lower, asked)

    def recorded(self) -> list[str]:
        """List the recorded machines that are kept before any is asked, in natural order."""
        names = [name for name in records.names() if self.keep_name(name)]
        return names if self._values.keys() <= {"name"} else [name for name in names if self._keep_recorded(name)]

    def _keep_recorded(self, name: str) -> bool:
        try:
            record = records.load(name)
        except (NotFoundError, RecordError):
            return False
        return self.keep_declared(record.provider, record.labels, record.swarm and record.stack)

    def _holds(self, key: str, found: set[str]) -> bool:
        asked = self._values.get(key)
        return asked is None or not found.isdisjoint(asked)


def _expression(value: str) -> re.Pattern[str]:
    try:
        return re.compile(value)
    except re.error as error:
        raise MctlError(
            f"the filter name={value} is no regular expression: {error}", mend=f"--filter 'name={re.escape(value)}'"
        ) from None
