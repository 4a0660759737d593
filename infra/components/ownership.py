"""Whose a resource at a provider is: the tags that everything we make there bears, or has its name made of."""

from __future__ import annotations

import re
from collections.abc import Mapping

OWNER, PROJECT, STACK, MACHINE = "mctl-owner", "mctl-project", "mctl-stack", "mctl-machine"
NAMED = (OWNER, STACK, MACHINE)
PLAIN = "[A-Za-z0-9-]"


def tags(owner: str, project: str, stack: str, machine: str) -> dict[str, str]:
    """Give the tags of one machine's resources. owner: the stack state's own id; without one nobody owns orphans."""
    return {
        key: value for key, value in ((OWNER, owner), (PROJECT, project), (STACK, stack), (MACHINE, machine)) if value
    }


def are_of(tags: Mapping[str, str], owner: str) -> bool:
    """Tell whether these are the tags of a machine of an owner."""
    return tags.get(OWNER) == owner and {STACK, MACHINE} <= tags.keys()


def escaped(text: str, mark: str) -> str:
    """Spell a text in letters, digits and dashes; any other character is the mark and its number: `_2e` for a dot."""
    return re.sub(f"(?!{PLAIN}).", lambda odd: f"{mark}{ord(odd[0]):02x}", text)


def unescaped(text: str, mark: str) -> str:
    """Read what `escaped` wrote."""
    return re.sub(f"{re.escape(mark)}([0-9a-f]{{2}})", lambda odd: chr(int(odd[1], 16)), text)


def name(of: Mapping[str, str], between: str = ".", mark: str = "..") -> str:
    """Name by its tags what can bear none: `mctl.OWNER.STACK.MACHINE`. between, mark: what such names may have."""
    parts = (of.get(OWNER, "nobody"), of[STACK], of[MACHINE])
    return between.join(("mctl", *(escaped(part, mark) for part in parts)))


def named(name: str, between: str = ".", mark: str = "..") -> dict[str, str]:
    """Read the tags from a name; none from one that is not ours."""
    part = f"((?:{PLAIN}|{re.escape(mark)}[0-9a-f]{{2}})+)"
    found = re.fullmatch(re.escape(between).join(("mctl", part, part, part)), name)
    return dict(zip(NAMED, (unescaped(each, mark) for each in found.groups()), strict=True)) if found else {}
