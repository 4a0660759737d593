"""The hyperv backend: VMs that PowerShell's Hyper-V cmdlets make, at an address of their own.

Source: https://learn.microsoft.com/powershell/module/hyper-v/
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from infra.plugins.hypervisor import disk, requirements
from infra.plugins.hypervisor.backend import POWERDOWN_SECONDS, Look, addressed, ask, await_address, own_name
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.requirements import Finding
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

PROGRAM = "powershell"
MEND = "use Windows with Hyper-V: Enable-WindowsOptionalFeature -Online -FeatureName Microsoft-Hyper-V -All"
STATES = {"Paused": "Paused", "Saved": "Saved", "Off": "Stopped", "OffCritical": "Stopped", "SavedCritical": "Saved"}
DEFAULT_SWITCH = "Default Switch"  # Windows 10 and later have it, with NAT and DHCP
# The signer of Linux's boot loaders.
SECURE_BOOT = "MicrosoftUEFICertificateAuthority"
# What the guest's daemon reports, else what the switch's neighbours are: few images have that daemon.
LOOK = """\
Get-VM | Where-Object Name -eq {name} | ForEach-Object {{
  $mac = $_.NetworkAdapters[0].MacAddress -replace '(..)(?!$)', '$1-'
  $near = @(Get-NetNeighbor -AddressFamily IPv4 -LinkLayerAddress $mac -ErrorAction SilentlyContinue).IPAddress
  ConvertTo-Json -Compress @{{
    state = "$($_.State)"; path = $_.Path; addresses = @($_.NetworkAdapters.IPAddresses) + @($near)
  }}
}}"""


def check_host() -> list[Finding]:
    """Look for PowerShell, and for what makes disks."""
    return requirements.with_image_tool(PROGRAM, MEND)


async def make(folder: VmFolder, record: VmRecord, seed: Seed, log: Log) -> None:
    """Make the VM of a disk and a seed in its folder; Hyper-V keeps its settings there too."""
    name, inputs = _quoted(own_name(folder)), record.inputs
    own = await disk.make_as("vhdx", folder, record, log)
    folder.write("seed.iso", seed.iso())
    switch = _quoted(inputs["network"] or DEFAULT_SWITCH)
    place, file, iso = (_quoted(str(path)) for path in (folder.path, own, folder.path / "seed.iso"))
    memory = f"-MemoryStartupBytes {inputs['memory']}MB"
    await _powershell(
        f"fsutil sparse setflag {file} 0",  # Hyper-V refuses sparse files, which qemu-img makes on Windows
        f"New-VM -Name {name} -Path {place} -Generation 2 {memory} -VHDPath {file} -SwitchName {switch}",
        f"Set-VM -Name {name} -ProcessorCount {inputs['cpus']} -StaticMemory -AutomaticCheckpointsEnabled $false",
        f"Set-VMFirmware -VMName {name} -SecureBootTemplate {_quoted(SECURE_BOOT)}",
        f"Add-VMDvdDrive -VMName {name} -Path {iso}",
    )
    record.whole = True
    folder.save(record)


async def change(folder: VmFolder, olds: Mapping[str, Any], news: Mapping[str, Any]) -> None:
    """Change the VM's settings, and make its disk larger. Raises PluginError where it is saved: that can't change."""
    if await _state(folder) == "Saved":
        raise PluginError(
            f"VM {own_name(folder)} is saved, and can be changed when it is off. Start it, then try again"
        )
    name = _quoted(own_name(folder))
    lines = [f"Set-VM -Name {name} -ProcessorCount {news['cpus']} -MemoryStartupBytes {news['memory']}MB"]
    if news["disk"] > olds["disk"]:
        lines.append(f"Resize-VHD -Path {_quoted(str(folder.path / 'disk.vhdx'))} -SizeBytes {news['disk']}GB")
    await _powershell(*lines)


async def start(folder: VmFolder, record: VmRecord, log: Log) -> None:
    """Start or resume it, and wait until it has an address."""
    state, verb = await _state(folder), "Start-VM"
    if state != "Running":
        await log("starting it in Hyper-V")
        verb = "Resume-VM" if state == "Paused" else verb
        await _powershell(f"{verb} -Name {_quoted(own_name(folder))}")
    await await_address(own_name(folder), lambda: _address(folder))


async def stop(folder: VmFolder) -> None:
    """Ask the guest to shut down; where it doesn't end in time, end it."""
    name = _quoted(own_name(folder))
    if await _state(folder) == "Paused":
        await _powershell(f"Resume-VM -Name {name}")
    if await _state(folder) == "Running":
        with contextlib.suppress(PluginError, TimeoutError):
            async with asyncio.timeout(POWERDOWN_SECONDS):
                await _powershell(f"Stop-VM -Name {name} -Force")
    await end(folder)


async def end(folder: VmFolder) -> None:
    """Switch it off."""
    if await _state(folder) in ("Running", "Paused"):
        await _powershell(f"Stop-VM -Name {_quoted(own_name(folder))} -TurnOff -Force")


async def look(folder: VmFolder, record: VmRecord) -> Look | None:
    """Ask Hyper-V."""
    state = await _state(folder)
    return addressed(state, await _address(folder) if state == "Running" else "") if state else None


async def delete(folder: VmFolder) -> None:
    """Switch it off, and remove it with its files."""
    if await _state(folder):
        await end(folder)
        await _powershell(f"Remove-VM -Name {_quoted(own_name(folder))} -Force")
    await asyncio.to_thread(folder.remove)


async def _state(folder: VmFolder) -> str:
    """Give Running, Stopped, Paused or Saved; empty where Hyper-V has no such VM."""
    facts = await _facts(folder)
    return STATES.get(facts["state"], "Running") if facts else ""


async def _address(folder: VmFolder) -> str:
    facts = await _facts(folder)
    return next((address for address in facts.get("addresses", ()) if address and ":" not in address), "")


async def _facts(folder: VmFolder) -> dict[str, Any]:
    """Ask for what Hyper-V knows of it; nothing where it is gone. Raises PluginError for a VM that is not ours."""
    said = await _powershell(LOOK.format(name=_quoted(own_name(folder))))
    facts: dict[str, Any] = json.loads(said) if said else {}
    if facts and not PurePath(facts["path"]).is_relative_to(folder.path):
        raise PluginError(f"Hyper-V has a VM {own_name(folder)} in {facts['path']}, which is not ours. Rename it")
    return facts


async def _powershell(*lines: str) -> str:
    """Run cmdlets, one after another until one fails. Raises PluginError."""
    found = requirements.find(PROGRAM)
    if not found:
        raise PluginError(f"{PROGRAM} is not on PATH. To mend it: {MEND}")
    script = "\n".join(("$ErrorActionPreference = 'Stop'", *lines))
    code, said = await ask([found, "-NoProfile", "-NonInteractive", "-Command", script])
    if code:
        raise PluginError(f"Hyper-V refused: {said}. It needs an administrator, or a member of Hyper-V Administrators")
    return said


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
