"""Which ports of this computer lead to a VM: free when chosen, and kept."""

from __future__ import annotations

import socket
from collections.abc import Mapping

from infra.plugins.hypervisor.vm_folder import VmFolder, every
from infra.plugins.server import PluginError

HOST = "127.0.0.1"
ALWAYS = ("22", "2376")


def assign(forwards: Mapping[str, int], kept: Mapping[str, int], folder: VmFolder) -> dict[str, int]:
    """Choose a host port for each guest port: the declared one, else the kept one, else a free one.

    A kept port that another program has taken meanwhile is chosen anew. Raises PluginError where a declared port is
    taken.
    """
    taken = _of_other_vms(folder)
    assigned: dict[str, int] = {}
    for guest, declared in forwards.items():
        if declared:
            if not is_free(declared):
                raise PluginError(
                    f"port {declared} of this computer, declared for port {guest} of the VM, is taken. "
                    "End the program that listens on it, or declare another port"
                )
            assigned[guest] = declared
            continue
        port = kept.get(guest, 0)
        while not port or port in assigned.values() or not is_free(port) or (port in taken and guest not in kept):
            port = _any_free()
        assigned[guest] = port
    return assigned


def is_free(port: int) -> bool:
    """Tell whether a program could listen on a port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as QEMU does
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _any_free() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _of_other_vms(folder: VmFolder) -> set[int]:
    """Give the ports that other VMs, also stopped ones, keep."""
    return {
        port
        for other in every()
        if other.id != folder.id and (record := other.load())
        for port in record.ports.values()
    }
