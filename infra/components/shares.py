"""Folders of this computer that a VM on it shows at /NAME."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_command as command

from infra.components.engine_scripts.shares import mount_shares
from infra.machine import MachineSpec

LIMIT = pulumi.CustomTimeouts(create="15m", update="15m")
INPUTS = ["connection", "create", "triggers"]  # what a VM that is switched off must not be asked to do


@dataclass(frozen=True, kw_only=True)
class Shares:
    """What the hypervisor shares. kind: `vboxsf` or `hgfs`. mend: what to do where the VM can't mount it."""

    kind: str
    names: tuple[str, ...]
    user: str
    mend: str


def mount(
    spec: MachineSpec,
    shares: Shares,
    connection: command.remote.ConnectionArgs,
    vm: pulumi.Resource,
    instance_id: pulumi.Input[str],
    after: pulumi.Resource,
    opts: pulumi.ResourceOptions,
) -> pulumi.Resource:
    """Mount them, and have the VM do so at each start."""
    own = pulumi.ResourceOptions(
        depends_on=[after],  # package managers can't run side by side
        deleted_with=vm,
        ignore_changes=None if spec.running else INPUTS,
        custom_timeouts=LIMIT,
    )
    return command.remote.Command(
        f"{spec.name}-shares",
        connection=connection,
        create=mount_shares(spec.name, shares.kind, shares.names, shares.user, shares.mend),
        triggers=[instance_id],
        logging=command.remote.Logging.STDERR,
        add_previous_output_in_env=False,
        opts=pulumi.ResourceOptions.merge(opts, own),
    )
