"""The scripts for Swarm mode. What is secret comes by their standard input.

Source: https://docs.docker.com/engine/swarm/swarm-mode/, https://docs.docker.com/reference/api/engine/ (SwarmJoin)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from infra.components.engine_scripts import as_root, parts, variables


def lead(machine: str, *, autolock: bool, encrypted: bool, may_begin: bool) -> str:
    """Write the script that sees to a Swarm and prints `worker-token`, `manager-token` and `unlock-key`.

    encrypted: whether the network of published ports is to be. may_begin: False where there was a Swarm already, so
    that a host that was made anew begins no second one.
    """
    flags = {"encrypted": encrypted, "may_begin": may_begin}
    settings = variables(machine=machine, autolock=str(autolock).lower())
    settings += variables(**{flag: "yes" if value else "" for flag, value in flags.items()})
    return _script(settings, "swarm_lead")


def member(machine: str) -> str:
    """Write the script that joins, unless the machine is in a Swarm, and prints `node: ID`."""
    return _script(variables(machine=machine), "swarm_member")


def settle(machine: str) -> str:
    """Write the script that gives every node its role and labels, and retires those that are declared no more."""
    return _script(variables(machine=machine), "swarm_nodes", "swarm_settle")


def script(machine: str, does: str, **values: str) -> str:
    """Write a script that does one thing in a Swarm that is there. does: `swarm_DOES.sh`. values: its variables.

    The script with its values travels by standard input.
    """
    return _script(variables(machine=machine, **values), "swarm_nodes", f"swarm_{does}")


def joining(*, role: str, token: str, unlock: str, advertise: str, managers: Iterable[str]) -> str:
    """Write the standard input of `member`, and of `lead` with an address alone. It holds a token: keep it secret."""
    pairs = [("role", role), ("token", token), ("unlock", unlock), ("advertise", advertise)]
    pairs += [("manager", manager) for manager in managers]
    return "".join(f"{key} {value}\n" for key, value in pairs if value)


def declared(members: Iterable[tuple[str, str, str]], labels: Mapping[str, Iterable[str]], unlock: str) -> str:
    """Write the standard input of `settle`. members: name, node and role. labels: `KEY=VALUE`, by name."""
    lines = [f"unlock {unlock}\n" if unlock else ""]
    lines += [f"member {name} {node} {role}\n" for name, node, role in members]
    return "".join([*lines, *(f"label {name} {pair}\n" for name, pairs in labels.items() for pair in pairs)])


def said(stdout: str) -> dict[str, str]:
    """Read the `KEY: VALUE` lines that a script printed."""
    return dict(line.split(": ", 1) for line in (stdout or "").splitlines() if ": " in line)


def _script(settings: str, *names: str) -> str:
    return as_root(settings + parts("prelude", "swarm", *names) + "main\n")
