"""start, stop, kill and restart, in docker-machine's words."""

from __future__ import annotations

import sys

from cli.compat import words
from cli.each import Act, outcomes
from infra.errors import MctlError
from infra.stacks import lookup, machines, power

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.compat.flags import Value

ACTS: dict[str, Act] = {
    "start": lambda name, report: power.set_running(name, running=True, report=report),
    "stop": lambda name, report: power.set_running(name, running=False, report=report),
    "kill": lambda name, report: power.set_running(name, running=False, report=report, hard=True),
    "restart": lambda name, report: power.restart(name, report),
}
DOING = {"start": "Starting", "stop": "Stopping", "kill": "Killing", "restart": "Restarting"}
DONE = {"start": "started", "stop": "stopped", "kill": "killed"}
NOTE = "{} machines may have new IP addresses. You may need to re-run the `docker-machine env` command."
AFTERWARDS = {"start": NOTE.format("Started"), "restart": NOTE.format("Restarted")}


def run(verb: str, names: Sequence[str], _values: dict[str, Value]) -> int:
    """Act on each machine, or on `default`. Where one is unknown, nothing is done."""
    names = list(dict.fromkeys(names or [lookup.default()]))
    code = tell_missing(names, verb)
    if code:
        return code
    for name in names:
        _say(f'{DOING[verb]} "{name}"...')
    for name, error in outcomes(names, ACTS[verb]):
        if error is not None:
            code = max(code, words.tell(error, verb))
        elif verb in DONE:
            _say(f'Machine "{name}" was {DONE[verb]}.')
    if not code and verb in AFTERWARDS:
        _say(AFTERWARDS[verb])
    return code


def missing(name: str) -> MctlError | None:
    """Give the error of a name that no machine has."""
    try:
        machines.by_stack([name])
    except MctlError as error:
        return error
    return None


def tell_missing(names: Sequence[str], verb: str) -> int:
    """Tell each name that no machine has, and give the exit code; 0 where there is none."""
    return max((words.tell(error, verb) for name in names if (error := missing(name))), default=0)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
