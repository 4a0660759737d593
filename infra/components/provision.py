"""The user's own scripts, which run on the host once its engine is up."""

from __future__ import annotations

from hashlib import sha256
from pathlib import PurePath

import pulumi
import pulumi_command as command

from infra.components import drivers, files
from infra.components.engine_scripts.provision import provision as script
from infra.machine import MachineSpec

LIMIT = pulumi.CustomTimeouts(create="60m", update="60m")
# What a host that is switched off must not be asked to do.
INPUTS = ["connection", "create", "stdin", "triggers", "update"]


def check(spec: MachineSpec) -> MachineSpec:
    """Give the spec back if its scripts can be read. Raises PreCreateError."""
    for path in spec.provision_scripts:
        _read(spec.name, path)
    return spec


def provision(
    spec: MachineSpec,
    connection: command.remote.ConnectionArgs,
    vm: drivers.Vm,
    after: pulumi.Resource,
    opts: pulumi.ResourceOptions,
) -> None:
    """Run the scripts in their order; each once, and once more when its text or the VM is another.

    They travel by standard input, and secret: a script may hold what nobody else should read. Raises PreCreateError for
    a file that can't be read.
    """
    for number, path in enumerate(spec.provision_scripts, start=1):
        # What is switched off keeps what it has, so a script that is gone doesn't keep it from that.
        text = _read(spec.name, path) if spec.running else ""
        own = pulumi.ResourceOptions(
            depends_on=[after],
            deleted_with=vm.resource,
            ignore_changes=None if spec.running else INPUTS,
            custom_timeouts=LIMIT,
        )
        after = command.remote.Command(
            f"{spec.name}-provision-{number}",
            connection=connection,
            create=script(PurePath(path).name, spec.name),
            update=":",  # a new address is no reason to run again; what is comes as a trigger, which replaces
            stdin=pulumi.Output.secret(text),
            triggers=[vm.instance_id, sha256(text.encode()).hexdigest()],
            logging=command.remote.Logging.STDERR,
            add_previous_output_in_env=False,
            opts=pulumi.ResourceOptions.merge(opts, own),
        )


def _read(machine: str, path: str) -> str:
    return files.read(machine, path, "script", "--provision-script")
