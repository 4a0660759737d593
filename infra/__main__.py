"""What `pulumi up` runs by hand: the same program as the mctl command's."""

from infra.stacks.program import machines

machines()
