"""A stand-in PowerShell: the Hyper-V cmdlets that it knows, with their parameters, a line each.

Source: https://learn.microsoft.com/powershell/module/hyper-v/
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from tests.clouds import instances
from tests.clouds.programs import guests
from tests.clouds.programs.guests import Refused
from tests.clouds.world import Facts, World

KIND = "vms"
START = ["-NoProfile", "-NonInteractive", "-Command"]
SWITCHES = {"-StaticMemory", "-Force", "-TurnOff"}
CMDLETS = {
    "New-VM": {"-Name", "-Path", "-Generation", "-MemoryStartupBytes", "-VHDPath", "-SwitchName"},
    "Set-VM": {"-Name", "-ProcessorCount", "-MemoryStartupBytes", "-StaticMemory", "-AutomaticCheckpointsEnabled"},
    "Set-VMFirmware": {"-VMName", "-SecureBootTemplate"},
    "Add-VMDvdDrive": {"-VMName", "-Path"},
    "Start-VM": {"-Name"},
    "Resume-VM": {"-Name"},
    "Stop-VM": {"-Name", "-Force", "-TurnOff"},
    "Remove-VM": {"-Name", "-Force"},
}
TEMPLATES = ("MicrosoftWindows", "MicrosoftUEFICertificateAuthority", "OpenSourceShieldedVM")


def run(world: World, script: str) -> str:
    """Do a script's lines; give what the last prints."""
    first, _, rest = script.partition("\n")
    if first != "$ErrorActionPreference = 'Stop'":
        raise Refused("a script that goes on after an error")
    if match := re.match(r"Get-VM \| Where-Object Name -eq '([^']+)' \| ForEach-Object \{", rest):
        return _told(world, match[1])
    for line in rest.split("\n"):
        cmdlet, *words = [found[0] or found[1] for found in re.findall(r"'([^']*)'|(\S+)", line)]
        world.count(cmdlet)
        if cmdlet == "fsutil" and words[:2] == ["sparse", "setflag"]:
            continue
        given = _parameters(cmdlet, words)
        if cmdlet == "New-VM":
            _new(world, given)
        else:
            _do(world, cmdlet, given, _vm(world, given.get("-Name") or given.get("-VMName", "")))
    return ""


def _parameters(cmdlet: str, words: list[str]) -> dict[str, str]:
    given = {}
    while words:
        name = words.pop(0)
        if name not in CMDLETS.get(cmdlet, ()):
            raise Refused(f"A parameter cannot be found that matches parameter name '{name}' of {cmdlet}")
        given[name] = "" if name in SWITCHES else words.pop(0)
    return given


def _told(world: World, name: str) -> str:
    found = [vm for vm in world.every(KIND) if vm["name"] == name]
    if not found:
        return ""
    vm = found[0]
    if vm["state"] == "Running" and not instances.runs(world, vm["id"]):
        vm["state"] = "Off"
    addresses = ["fe80::1", vm["address"]] if vm["state"] == "Running" else []
    return json.dumps({"state": vm["state"], "path": vm["path"], "addresses": [*addresses, None]})


def _new(world: World, given: dict[str, str]) -> None:
    if given["-SwitchName"] != "Default Switch" or given["-Generation"] != "2":
        raise Refused(f'Hyper-V was unable to find a virtual switch with name "{given["-SwitchName"]}".')
    guests.check_disk(Path(given["-VHDPath"]), "vhdx")
    facts = {"name": given["-Name"], "path": given["-Path"], "state": "Off", "memory": _mb(given)}
    world.put(KIND, str(world.number()), facts)


def _do(world: World, cmdlet: str, given: dict[str, str], vm: Facts) -> None:
    if cmdlet in ("Set-VM", "Set-VMFirmware", "Add-VMDvdDrive", "Remove-VM") and vm["state"] != "Off":
        raise Refused(f"The operation cannot be performed while the virtual machine is in its current state: {cmdlet}")
    if cmdlet == "Remove-VM":
        instances.remove(world, vm["id"])
        world.drop(KIND, vm["id"])
        return
    if cmdlet == "Set-VM":
        vm |= {"memory": _mb(given)} if "-MemoryStartupBytes" in given else {}
        vm |= {"cpus": int(given["-ProcessorCount"])}
    elif cmdlet == "Set-VMFirmware" and given["-SecureBootTemplate"] not in TEMPLATES:
        raise Refused("The secure boot template was not found")
    elif cmdlet == "Add-VMDvdDrive":
        vm["seed"] = given["-Path"]
    elif cmdlet == "Start-VM" and vm["state"] == "Off":
        vm |= {"address": guests.boot(world, vm, Path(vm["seed"]), {}), "state": "Running", "booted": True}
    elif cmdlet == "Resume-VM" and vm["state"] == "Paused":
        instances.pause(world, vm["id"], again=True)
        vm["state"] = "Running"
    elif cmdlet == "Stop-VM" and vm["state"] in ("Running", "Paused"):
        instances.stop(world, vm["id"], hard="-TurnOff" in given)
        vm["state"] = "Off"
    elif cmdlet in ("Start-VM", "Resume-VM", "Stop-VM"):
        raise Refused(f"Failed to change state: {vm['state']}")
    world.put(KIND, vm["id"], vm)


def _mb(given: dict[str, str]) -> int:
    return int(given["-MemoryStartupBytes"].removesuffix("MB"))


def _vm(world: World, name: str) -> Facts:
    found = [vm for vm in world.every(KIND) if vm["name"] == name]
    if not found:
        raise Refused(f'Hyper-V was unable to find a virtual machine with name "{name}".')
    return found[0]


if __name__ == "__main__":
    try:
        if sys.argv[1:4] != START:
            raise Refused("a PowerShell that asks, or loads a profile")
        sys.stdout.write(run(World.here(), sys.argv[4]) + "\n")
    except Refused as refused:
        sys.exit(str(refused))
