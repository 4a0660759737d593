"""What a hypervisor must be able to do for a VirtualMachine, and how its programs are run."""

from __future__ import annotations

import asyncio
import hashlib
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.ports import HOST
from infra.plugins.hypervisor.requirements import Finding
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

POWERDOWN_SECONDS = 90
COMMAND_SECONDS = 300
ADDRESS_SECONDS = 300


class Look(NamedTuple):
    """How a VM is. state: Running, Stopped, Paused or Saved. Addresses: empty where it has none now."""

    state: str
    address: str
    private_address: str
    ssh_port: int
    docker_port: int

    @property
    def is_on(self) -> bool:
        """Tell whether it holds memory and processors."""
        return self.state in ("Running", "Paused")


class Backend(Protocol):
    """One hypervisor: a module with these functions."""

    def check_host(self) -> list[Finding]:
        """Look for what it needs from this computer."""

    async def make(self, folder: VmFolder, record: VmRecord, seed: Seed, log: Log) -> None:
        """Make the VM, switched off. The record's `whole` becomes true."""

    async def change(self, folder: VmFolder, olds: Mapping[str, Any], news: Mapping[str, Any]) -> None:
        """Change processors, memory, disk and shares of a VM that is off, from one record's inputs to another's."""

    async def start(self, folder: VmFolder, record: VmRecord, log: Log) -> None:
        """Start or resume it, and write down its ports. Does nothing where it runs."""

    async def stop(self, folder: VmFolder) -> None:
        """Shut the guest down; where it doesn't end in time, end it."""

    async def end(self, folder: VmFolder) -> None:
        """Switch it off now. Does nothing where it is off."""

    async def look(self, folder: VmFolder, record: VmRecord) -> Look | None:
        """Say how it is; None where it is gone."""

    async def delete(self, folder: VmFolder) -> None:
        """End the VM and remove all that it left. Succeeds where it is gone."""


def forwarded(state: str, private_address: str, record: VmRecord) -> Look:
    """Say how a VM is that is reached by ports of this computer."""
    return Look(state, HOST, private_address, record.ports.get("22", 0), record.ports.get("2376", 0))


def addressed(state: str, address: str) -> Look:
    """Say how a VM is that has an address of its own, while it runs."""
    return Look(state, address, address, 22, 2376)


async def await_address(name: str, find: Callable[[], Awaitable[str]]) -> None:
    """Wait until a VM has an address. Raises PluginError where it gets none."""
    deadline = time.monotonic() + ADDRESS_SECONDS
    while not await find():
        if time.monotonic() > deadline:
            raise PluginError(f"VM {name} got no address in {ADDRESS_SECONDS} s. Look at its console in the hypervisor")
        await asyncio.sleep(1)


def own_name(folder: VmFolder) -> str:
    """Name the VM at the hypervisor, which may have VMs of another home of ours too."""
    return f"{folder.id}-{hashlib.sha256(str(folder.path).encode()).hexdigest()[:6]}"


async def ask(command: Sequence[str], variables: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a hypervisor's program; give its exit code and what it said. Raises PluginError where it takes too long."""
    asked = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env=variables)
    try:
        out, err = await asyncio.wait_for(asked.communicate(), COMMAND_SECONDS)
    except BaseException as error:
        if asked.returncode is None:
            asked.kill()
            await asked.wait()
        if isinstance(error, TimeoutError):
            raise PluginError(f"{command[0]} {command[1]} gave no answer in {COMMAND_SECONDS} s") from None
        raise
    return asked.returncode or 0, (out if not asked.returncode else err or out).decode(errors="replace").strip()
