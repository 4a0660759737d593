"""What `pulumi up` runs by hand: the same program as the mctl command's."""

import pulumi

from infra.stacks.program import run

run(pulumi.runtime.get_root_directory() or "")
