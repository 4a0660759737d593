"""A stack with its machines, packed in one home and unpacked in another: declaration, stack state and secrets.

What stays behind is a copy of the same machines: nothing on them changes, and nothing is removed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.components import drivers
from infra.errors import NameTakenError, StackError
from infra.groups import expand
from infra.stacks import project
from infra.stacks.machines import keep_records, refuse_taken
from infra.stacks.progress import Progress, Report
from infra.stacks.records import Record
from infra.stacks.store import Stack

Packed = dict[str, Any]


def pack(folder: Path, stack: str, report: Report, variables: Mapping[str, str] | None = None) -> Packed:
    """Give all of a stack, its secrets in clear: keep it out of files. variables: what opens its secrets.

    Raises StackError where a machine lives on this computer, and so can't be handed to another.
    """
    config = project.settings(folder, stack)
    groups, fleet = config.pop(project.GROUPS, None), config.pop(project.PART_OF, "")
    machines = config[project.KEY] = expand(config.get(project.KEY), groups, stack, fleet)  # each goes by itself
    refuse_local(machines)
    opened = Stack(folder, stack, report, variables=variables)
    secrets = opened.secrets()
    for made in opened.machines():
        if not made.get("ssh_private_key"):
            report(
                Progress(made["name"], "is logged in to with your SSH agent's key, which stays with you", notice=True)
            )
        options = machines[made["name"]].get("options") or {}
        if options.pop("ssh_key", ""):  # a file of this computer
            secrets[f"{project.SSH_KEY}{made['name']}"] = made["ssh_private_key"]
    plain = {key: value for key, value in config.items() if key not in secrets}
    return {"stack": stack, "config": plain, "secrets": secrets, "deployment": opened.deployment()}


def refuse_local(machines: Mapping[str, Any]) -> None:
    """Raise StackError where one of the declared machines lives on this computer."""
    for name, entry in machines.items():
        if drivers.load(entry["provider"]).is_local:
            raise StackError(
                f'machine "{name}" lives on this computer ({entry["provider"]}), and can\'t be used from another',
                machine=name,
                mend="reach it over SSH to this computer, or make it on a host that others reach",
            )


def unpack(packed: Packed, report: Report) -> list[Record]:
    """Make a packed stack one of ours; one whose unpacking was stopped is gone on with.

    Raises NameTakenError for a machine or a stack that is there.
    """
    folder, stack = project.find_project(), str(packed["stack"])
    machines = packed["config"].get(project.KEY) or {}
    begun = project.machines(folder, stack) == machines
    for name in () if begun else machines:
        refuse_taken(folder, name, stack)
    opened = Stack(folder, stack, report, make=True)
    if not opened.has_resources():
        for key, text in packed["secrets"].items():
            opened.keep_secret(key, text)
        project.declare_settings(folder, stack, packed["config"])
        opened.take_over(packed["deployment"])
    elif not begun:
        raise NameTakenError(f"there is a stack {stack} already, of other machines", mend=f"mctl preview {stack}")
    return keep_records(opened, report)


def machine_names(packed: Packed) -> list[str]:
    """List the machines of a packed stack."""
    return list(packed["config"].get(project.KEY) or {})
