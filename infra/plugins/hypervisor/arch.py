"""What differs between processors: the program, the board, the console."""

from __future__ import annotations

import platform
from dataclasses import dataclass


@dataclass(frozen=True)
class Arch:
    """One kind of processor, in each tool's spelling."""

    debian: str
    qemu: str
    board: str
    console: str
    firmware: str  # where a disk with its own boot loader needs one that QEMU doesn't find itself


ARCHES = {
    "x86_64": Arch("amd64", "qemu-system-x86_64", "q35", "ttyS0", ""),
    "aarch64": Arch("arm64", "qemu-system-aarch64", "virt", "ttyAMA0", "edk2-aarch64-code.fd"),
}
SPELLINGS = {"amd64": "x86_64", "arm64": "aarch64"}


def host() -> Arch:
    """Give this computer's. Raises KeyError for one that QEMU machines are not made for here."""
    machine = platform.machine().lower()
    return ARCHES[SPELLINGS.get(machine, machine)]
