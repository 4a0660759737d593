"""provision: also of a machine whose create failed half-way, which is how GitLab Runner tries again."""

from __future__ import annotations

from cli.compat.entry import dispatch
from cli.compat.power import tell_missing
from cli.progress import progress
from infra.stacks import lookup, machines, records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.compat.flags import Value


def run(verb: str, names: Sequence[str], _values: dict[str, Value]) -> int:
    """Set machines up again, or to the end. Where one is unknown, nothing is done."""
    names = list(dict.fromkeys(names or [lookup.default()]))
    code = tell_missing(names, verb)
    if code:
        return code
    made = [name for name in names if records.exists(name)]
    for name in names:
        if name not in made:
            with progress() as report:
                machines.up(name, report)
    return dispatch([verb, *made]) if made else 0
