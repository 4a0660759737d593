"""Whose a resource at a provider is: the tags that everything we make there bears."""

from __future__ import annotations

OWNER, PROJECT, STACK, MACHINE = "mctl-owner", "mctl-project", "mctl-stack", "mctl-machine"


def tags(owner: str, project: str, stack: str, machine: str) -> dict[str, str]:
    """Give the tags of one machine's resources. owner: the stack state's own id; without one nobody owns orphans."""
    return {
        key: value for key, value in ((OWNER, owner), (PROJECT, project), (STACK, stack), (MACHINE, machine)) if value
    }
