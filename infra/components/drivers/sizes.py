"""docker-machine's sizes of local VMs, in the hypervisor plugin's units."""

from __future__ import annotations

import os

MB_IN_GIB = 1024
MOST_CPUS = 32  # docker-machine's own limit


def processors(count: int) -> int:
    """Give a count of processors; -1 means all."""
    return min(os.cpu_count() or 1, MOST_CPUS) if count == -1 else count


def gib(megabytes: int) -> int:
    """Give megabytes as GiB, rounded up."""
    return -(-megabytes // MB_IN_GIB)
