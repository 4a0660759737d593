"""A stand-in vmrun of VMware Fusion: the documented commands, over .vmx files.

Source: https://techdocs.broadcom.com (Using vmrun to Control Virtual Machines)
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.clouds import instances
from tests.clouds.programs import guests
from tests.clouds.programs.guests import Refused
from tests.clouds.world import Facts, World

KIND = "vms"
NEEDED = {
    ".encoding": "UTF-8",
    "config.version": "8",
    "virtualHW.version": r"1[0-9]|2[0-2]",
    "guestOS": r"(arm-)?debian1[0-2]-64",
    "memsize": r"\d+",
    "numvcpus": r"\d+",
    "displayName": ".+",
    "ethernet0.connectionType": "nat|bridged|hostonly",
    "sata0:1.deviceType": "cdrom-image",
}


def run(world: World, words: list[str]) -> str:
    """Do one command; give what it prints."""
    if words[:2] != ["-T", "fusion"]:
        raise Refused("Invalid argument: host type")
    command, *rest = words[2:]
    world.count(command)
    if command == "list" and not rest:
        on = [vm["file"] for vm in world.every(KIND) if _runs(world, vm)]
        return "\n".join([f"Total running VMs: {len(on)}", *on])
    file, *rest = rest
    settings = _settings(Path(file))
    vm = next((vm for vm in world.every(KIND) if vm["file"] == file), None)
    if command == "start" and rest == ["nogui"]:
        _start(world, Path(file), settings, vm)
    elif command == "deleteVM" and not rest:
        if vm:
            instances.remove(world, vm["id"])
            world.drop(KIND, vm["id"])
        Path(file).unlink()
    elif not vm or not _runs(world, vm):
        raise Refused("The virtual machine is not powered on: " + file)
    elif command == "stop" and rest in (["soft"], ["hard"]):
        instances.stop(world, vm["id"], hard=rest == ["hard"])
    elif command == "getGuestIPAddress" and not rest:
        return str(vm["address"])
    else:
        raise Refused(f"Unrecognized command: {command}")
    return ""


def _start(world: World, file: Path, settings: dict[str, str], vm: Facts | None) -> None:
    for key, pattern in NEEDED.items():
        if not re.fullmatch(pattern, settings.get(key, "")):
            raise Refused(f"{file}: {key} is {settings.get(key)!r}")
    guests.check_disk(file.with_name(settings["sata0:0.fileName"]), "vmdk")
    if vm and _runs(world, vm):
        raise Refused("The virtual machine is already running")
    known = vm or {"id": str(world.number()), "file": str(file)}
    address = guests.boot(world, known, file.with_name(settings["sata0:1.fileName"]), _shares(settings))
    memory = int(settings["memsize"])
    world.put(KIND, known["id"], {**known, "booted": True, "address": address, "memory": memory})


def _shares(settings: dict[str, str]) -> dict[str, str]:
    numbers = range(int(settings.get("sharedFolder.maxNum", "0")))
    needed = ("present", "enabled", "readAccess", "writeAccess")
    if any(settings[f"sharedFolder{number}.{key}"] != "TRUE" for number in numbers for key in needed):
        raise Refused("a shared folder is not enabled")
    return {settings[f"sharedFolder{n}.guestName"]: settings[f"sharedFolder{n}.hostPath"] for n in numbers}


def _runs(world: World, vm: Facts) -> bool:
    return instances.runs(world, vm["id"])


def _settings(file: Path) -> dict[str, str]:
    if not file.exists():
        raise Refused(f"Cannot open VM: {file}, file not found")
    return dict(re.findall(r'^(\S+) = "(.*)"$', file.read_text(), re.MULTILINE))


if __name__ == "__main__":
    try:
        sys.stdout.write(run(World.here(), sys.argv[1:]) + "\n")
    except Refused as refused:
        sys.stdout.write(f"Error: {refused}\n")
        sys.exit(255)
