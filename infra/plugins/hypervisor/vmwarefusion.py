"""The vmwarefusion backend: a .vmx file beside its disk, and vmrun, which runs it at an address of its own.

vmrun does not tell a paused VM from one that runs. Source: https://techdocs.broadcom.com (Using vmrun to Control VMs)
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.plugins.hypervisor import arch, disk, requirements
from infra.plugins.hypervisor.backend import POWERDOWN_SECONDS, Look, addressed, ask, await_address, own_name
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.requirements import Finding
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

PROGRAM, DISK_PROGRAM = "vmrun", "vmware-vdiskmanager"
MEND = "install VMware Fusion: https://www.vmware.com/products/desktop-hypervisor/workstation-and-fusion"
LEASES = Path("/var/db/vmware/vmnet-dhcpd-vmnet8.leases")  # of Fusion's NAT: for guests without VMware's tools
GUESTS = {"amd64": "debian12-64", "arm64": "arm-debian12-64"}
POLL_SECONDS = 0.5
SETTINGS = {
    ".encoding": "UTF-8",
    "config.version": "8",
    "virtualHW.version": "20",
    "firmware": "efi",
    "msg.autoAnswer": "TRUE",
    "pciBridge0.present": "TRUE",
    "pciBridge4.present": "TRUE",
    "pciBridge4.virtualDev": "pcieRootPort",
    "pciBridge4.functions": "8",
    "sata0.present": "TRUE",
    "sata0:0.present": "TRUE",
    "sata0:0.fileName": "disk.vmdk",
    "sata0:1.present": "TRUE",
    "sata0:1.deviceType": "cdrom-image",
    "sata0:1.fileName": "seed.iso",
    "ethernet0.present": "TRUE",
    "ethernet0.virtualDev": "vmxnet3",
    "ethernet0.connectionType": "nat",
    "ethernet0.addressType": "generated",
}


def check_host() -> list[Finding]:
    """Look for vmrun, and for what makes disks."""
    return requirements.with_image_tool(PROGRAM, MEND)


async def make(folder: VmFolder, record: VmRecord, seed: Seed, log: Log) -> None:
    """Write the VM's files: its disk, its seed and its settings."""
    await disk.make_as("vmdk", folder, record, log)
    folder.write("seed.iso", seed.iso())
    names = {"displayName": own_name(folder), "guestOS": GUESTS[arch.host().debian]}
    _write(folder, SETTINGS | names | _size(record.inputs) | _shares(record.inputs["shares"]))
    record.whole = True
    folder.save(record)


async def change(folder: VmFolder, olds: Mapping[str, Any], news: Mapping[str, Any]) -> None:
    """Change the VM's settings, and make its disk larger. Raises PluginError where it is saved: that can't change."""
    if await _state(folder) == "Saved":
        raise PluginError(
            f"VM {own_name(folder)} is saved, and can be changed when it is off. Start it, then try again"
        )
    kept = {key: value for key, value in _read(folder).items() if not key.startswith("sharedFolder")}
    _write(folder, kept | _size(news) | _shares(news["shares"]))
    if news["disk"] > olds["disk"]:
        await _run(DISK_PROGRAM, "-x", f"{news['disk']}GB", str(folder.path / "disk.vmdk"))


async def start(folder: VmFolder, record: VmRecord, log: Log) -> None:
    """Start it without a window, and wait until it has an address."""
    if await _state(folder) != "Running":
        await log("starting it in VMware Fusion")
        await _vmrun("start", _file(folder), "nogui")
    await await_address(own_name(folder), lambda: _address(folder))


async def stop(folder: VmFolder) -> None:
    """Ask the guest to shut down; where it doesn't end in time, end it."""
    if await _state(folder) == "Running":
        with contextlib.suppress(PluginError, TimeoutError):
            async with asyncio.timeout(POWERDOWN_SECONDS):
                await _vmrun("stop", _file(folder), "soft")
    await end(folder)


async def end(folder: VmFolder) -> None:
    """Switch it off."""
    if await _state(folder) == "Running":
        await _vmrun("stop", _file(folder), "hard")
        deadline = time.monotonic() + POWERDOWN_SECONDS
        while await _state(folder) == "Running" and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)


async def look(folder: VmFolder, record: VmRecord) -> Look | None:
    """Look at its files, and ask vmrun."""
    if not (folder.path / "vm.vmx").exists() or not (folder.path / "disk.vmdk").exists():
        return None
    state = await _state(folder)
    return addressed(state, await _address(folder) if state == "Running" else "")


async def delete(folder: VmFolder) -> None:
    """Switch it off, and remove it with its files."""
    if (folder.path / "vm.vmx").exists():
        await end(folder)
        await _vmrun("deleteVM", _file(folder))
    await asyncio.to_thread(folder.remove)


def _file(folder: VmFolder) -> str:
    return str(folder.path / "vm.vmx")


def _size(inputs: Mapping[str, Any]) -> dict[str, str]:
    return {"numvcpus": str(inputs["cpus"]), "memsize": str(inputs["memory"])}


def _shares(shares: Mapping[str, str]) -> dict[str, str]:
    """Write what `vmrun addSharedFolder` would, which takes a guest that runs VMware's tools already."""
    settings = {"sharedFolder.maxNum": str(len(shares)), "isolation.tools.hgfs.disable": "FALSE"} if shares else {}
    for number, (name, path) in enumerate(shares.items()):
        quoted = path.replace("|", "|7C").replace('"', "|22")
        facts = {"hostPath": quoted, "guestName": name, "expiration": "never"}
        facts |= dict.fromkeys(("present", "enabled", "readAccess", "writeAccess"), "TRUE")
        settings |= {f"sharedFolder{number}.{key}": value for key, value in facts.items()}
    return settings


def _write(folder: VmFolder, settings: Mapping[str, str]) -> None:
    folder.write("vm.vmx", "".join(f'{key} = "{value}"\n' for key, value in settings.items()).encode())


def _read(folder: VmFolder) -> dict[str, str]:
    return dict(re.findall(r'^\s*(\S+)\s*=\s*"(.*)"\s*$', Path(_file(folder)).read_text(), re.MULTILINE))


async def _state(folder: VmFolder) -> str:
    """Give Running, Saved or Stopped."""
    if not (folder.path / "vm.vmx").exists():
        return "Stopped"
    runs = {Path(line).resolve() for line in (await _vmrun("list")).splitlines()[1:]}
    if (folder.path / "vm.vmx").resolve() in runs:
        return "Running"
    return "Saved" if _read(folder).get("checkpoint.vmState") else "Stopped"


async def _address(folder: VmFolder) -> str:
    """Ask VMware's tools in the guest; where there are none, look up what Fusion's DHCP server gave it."""
    code, said = await ask([_program(PROGRAM), "-T", "fusion", "getGuestIPAddress", _file(folder)])
    if not code and re.fullmatch(r"[0-9.]+", said):
        return said
    hardware = _read(folder).get("ethernet0.generatedAddress", "none")
    leases = LEASES.read_text() if LEASES.exists() else ""
    found = re.findall(r"^lease ([0-9.]+) \{([^}]*)\}", leases, re.MULTILINE)
    return next((address for address, facts in reversed(found) if f"ethernet {hardware};" in facts), "")


async def _vmrun(*arguments: str) -> str:
    return await _run(PROGRAM, "-T", "fusion", *arguments)


async def _run(program: str, *arguments: str) -> str:
    code, said = await ask([_program(program), *arguments])
    if code:
        raise PluginError(f"{program} {' '.join(arguments)} failed: {said}")
    return said


def _program(program: str) -> str:
    found = requirements.find(program)
    if not found:
        raise PluginError(f"{program} is not on PATH. To mend it: {MEND}")
    return found
