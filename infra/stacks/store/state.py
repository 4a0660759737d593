"""What an exported stack state says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from infra.stacks.progress import MACHINE
from infra.stacks.steps import SIGNATURE


def has_begun(state: Mapping[str, Any]) -> bool:
    """Tell whether the making of something has begun, and not ended."""
    return any(operation["type"] == "creating" for operation in state.get("pending_operations") or [])


def is_made(machine: dict[str, Any]) -> bool:
    """Tell a machine from one whose making stopped: its engine has a version, or nothing was there to be made."""
    return bool(machine.get("engine_version") or machine.get("ssh_port") == 0)


def in_clear(value: Any) -> Any:
    """Read a value of an exported stack state, where a secret is a mapping with its JSON in clear."""
    if isinstance(value, dict) and SIGNATURE in value:
        return json.loads(value["plaintext"]) if "plaintext" in value else None
    return {key: in_clear(item) for key, item in value.items()} if isinstance(value, dict) else value


def descendants(state: Mapping[str, Any], machine: Sequence[str]) -> list[str]:
    """Give the URNs of a machine and all below it. machine: every name that it may have there."""
    resources = state.get("resources") or []
    family = {r["urn"] for r in resources if r["type"] == MACHINE and r["urn"].rpartition("::")[2] in machine}
    for resource in resources:  # parents come before their children
        if resource.get("parent") in family:
            family.add(resource["urn"])
    return sorted(family)
