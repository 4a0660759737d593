"""The virtualbox backend: VMs that VBoxManage makes, reached by NAT's forwarded ports as QEMU's are.

Source: https://www.virtualbox.org/manual/ch08.html
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.plugins.hypervisor import arch, disk, ports, requirements
from infra.plugins.hypervisor.backend import POWERDOWN_SECONDS, Look, ask, forwarded, own_name
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.requirements import Finding
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

PROGRAM = "VBoxManage"
MEND = "install VirtualBox: https://www.virtualbox.org/wiki/Downloads"
PRIVATE_ADDRESS = "10.0.2.15"  # what VirtualBox's NAT gives a guest
STATES = {"paused": "Paused", "saved": "Saved", "aborted-saved": "Saved"} | dict.fromkeys(
    ("running", "starting", "stopping", "saving", "restoring", "gurumeditation"), "Running"
)
SYSTEMS = {"amd64": ("--ostype", "Debian_64"), "arm64": ("--ostype", "Debian_arm64", "--platform-architecture", "arm")}
GONE = "VBOX_E_OBJECT_NOT_FOUND"
LOCKED = ("already locked", "is locked", "while it is locked")
LOCK_TRIES = 20  # VirtualBox holds a VM for some moments after it ended
MIB_IN_GIB = 1024
POLL_SECONDS, PRESS_SECONDS = 0.5, 5


def check_host() -> list[Finding]:
    """Look for VBoxManage, and for what makes disks."""
    return requirements.with_image_tool(PROGRAM, MEND)


async def make(folder: VmFolder, record: VmRecord, seed: Seed, log: Log) -> None:
    """Make the VM of a disk and a seed in its folder; VirtualBox keeps its settings there too."""
    name, inputs = own_name(folder), record.inputs
    own = await disk.make_as("vdi", folder, record, log)
    folder.write("seed.iso", seed.iso())
    await _vbox(
        "createvm", "--name", name, "--basefolder", str(folder.path), *SYSTEMS[arch.host().debian], "--register"
    )
    board = ("--ioapic", "on", "--rtcuseutc", "on", "--boot1", "disk", "--boot2", "none", "--boot3", "none")
    network = ("--nic1", "nat", "--nictype1", "virtio")
    await _vbox("modifyvm", name, *_size(inputs), *board, *network)
    await _vbox("storagectl", name, "--name", "SATA", "--add", "sata", "--portcount", "2")
    for port, (kind, medium) in enumerate((("hdd", own), ("dvddrive", folder.path / "seed.iso"))):
        place = ("--storagectl", "SATA", "--port", str(port), "--device", "0")
        await _vbox("storageattach", name, *place, "--type", kind, "--medium", str(medium))
    await _share(name, {}, inputs["shares"])
    record.whole = True
    folder.save(record)


async def change(folder: VmFolder, olds: Mapping[str, Any], news: Mapping[str, Any]) -> None:
    """Change the VM's settings, and make its disk larger. Raises PluginError where it is saved: that can't change."""
    facts = await _facts(folder)
    if STATES.get(facts.get("VMState", "")) == "Saved":
        raise PluginError(
            f"VM {own_name(folder)} is saved, and can be changed when it is off. Start it, then try again"
        )
    await _vbox("modifyvm", own_name(folder), *_size(news))
    await _share(own_name(folder), facts, news["shares"])
    if news["disk"] > olds["disk"]:
        size = str(news["disk"] * MIB_IN_GIB)
        await _vbox("modifymedium", "disk", str(folder.path / "disk.vdi"), "--resize", size)


async def start(folder: VmFolder, record: VmRecord, log: Log) -> None:
    """Start it headless, or resume it."""
    name, facts = own_name(folder), await _facts(folder)
    state = STATES.get(facts.get("VMState", ""), "Stopped")
    if state == "Running":
        return
    if state == "Paused":
        await _vbox("controlvm", name, "resume")
        return
    if state == "Stopped":  # a saved one can't be changed
        await _forward(folder, record, facts)
    await log("starting it in VirtualBox")
    await _vbox("startvm", name, "--type", "headless")


async def stop(folder: VmFolder) -> None:
    """Press its power button until it is off; where that takes too long, end it."""
    name, deadline = own_name(folder), time.monotonic() + POWERDOWN_SECONDS
    if await _state(folder) == "Paused":
        await _vbox("controlvm", name, "resume")
    while await _state(folder) == "Running" and time.monotonic() < deadline:
        await _vbox("controlvm", name, "acpipowerbutton", ends=True)
        await _ended(folder, PRESS_SECONDS)  # again: a guest that still boots doesn't hear it
    await end(folder)


async def end(folder: VmFolder) -> None:
    """Pull its plug."""
    if await _state(folder) in ("Running", "Paused"):
        await _vbox("controlvm", own_name(folder), "poweroff", ends=True)
        await _ended(folder, POWERDOWN_SECONDS)


async def look(folder: VmFolder, record: VmRecord) -> Look | None:
    """Ask VirtualBox."""
    state = await _state(folder)
    return forwarded(state, PRIVATE_ADDRESS, record) if state else None


async def delete(folder: VmFolder) -> None:
    """Switch it off, and remove it from VirtualBox with its files."""
    if await _state(folder):
        await end(folder)
        await _vbox("unregistervm", own_name(folder), "--delete")
    await asyncio.to_thread(folder.remove)


def _size(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    return ("--cpus", str(inputs["cpus"]), "--memory", str(inputs["memory"]))


async def _share(name: str, facts: Mapping[str, str], shares: Mapping[str, str]) -> None:
    """Share these folders of this computer, and no others that VirtualBox has of the VM.

    The guest mounts them itself, so VirtualBox is not asked to have its own additions do it elsewhere.
    """
    for share in [value for key, value in facts.items() if key.startswith("SharedFolderNameMachineMapping")]:
        await _vbox("sharedfolder", "remove", name, "--name", share)
    for share, path in shares.items():
        await _vbox("sharedfolder", "add", name, "--name", share, "--hostpath", path)


async def _forward(folder: VmFolder, record: VmRecord, facts: Mapping[str, str]) -> None:
    """Lead ports of this computer to the VM, and no others than those of the record."""
    record.ports = ports.assign(record.inputs["forwards"], record.ports, folder)
    folder.save(record)
    old = [rule.split(",")[0] for key, rule in facts.items() if key.startswith("Forwarding(")]
    rules = [f"tcp{guest},tcp,{ports.HOST},{port},,{guest}" for guest, port in record.ports.items()]
    given = [word for rule in old for word in ("--natpf1", "delete", rule)]
    given += [word for rule in rules for word in ("--natpf1", rule)]
    await _vbox("modifyvm", own_name(folder), *given)


async def _state(folder: VmFolder) -> str:
    """Give Running, Stopped, Paused or Saved; empty where VirtualBox has no such VM."""
    facts = await _facts(folder)
    return STATES.get(facts["VMState"], "Stopped") if facts else ""


async def _facts(folder: VmFolder) -> dict[str, str]:
    """Ask for what VirtualBox knows of it; nothing where it is gone. Raises PluginError for a VM that is not ours."""
    code, said = await ask([_program(), "showvminfo", own_name(folder), "--machinereadable"])
    if code and GONE in said:
        return {}
    if code:
        raise PluginError(f"VBoxManage showvminfo failed: {said}")
    facts = dict(re.findall(r'^"?([^"=\n]+)"?="?(.*?)"?\s*$', said, re.MULTILINE))
    settings = Path(facts["CfgFile"].replace("\\\\", "\\"))
    if not settings.is_relative_to(folder.path):
        raise PluginError(f"VirtualBox has a VM {own_name(folder)} in {settings}, which is not ours. Rename it")
    return facts


async def _ended(folder: VmFolder, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while await _state(folder) == "Running" and time.monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)


async def _vbox(*arguments: str, ends: bool = False) -> None:
    """Run VBoxManage, again while the VM is locked. ends: it may be off already. Raises PluginError."""
    for _ in range(LOCK_TRIES):
        code, said = await ask([_program(), *arguments])
        if not code or (ends and "is not currently running" in said):
            return
        if not any(words in said for words in LOCKED):
            break
        await asyncio.sleep(POLL_SECONDS)
    raise PluginError(f"VBoxManage {arguments[0]} failed: {said}")


def _program() -> str:
    found = requirements.find(PROGRAM)
    if not found:
        raise PluginError(f"{PROGRAM} is not on PATH. To mend it: {MEND}")
    return found
