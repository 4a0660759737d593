"""A stand-in VBoxManage: it takes the documented commands that it knows, with their options, and nothing else.

Source: https://www.virtualbox.org/manual/ch08.html
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.clouds import instances
from tests.clouds.programs import guests
from tests.clouds.programs.guests import Refused
from tests.clouds.world import Facts, World

KIND = "vms"
SYSTEMS = ("Debian_64", "Debian_arm64")
CHOICES = {
    **dict.fromkeys(("ioapic", "rtcuseutc"), "on|off"),
    **dict.fromkeys(("boot1", "boot2", "boot3"), "none|floppy|dvd|disk|net"),
    "nic1": "none|null|nat|bridged|intnet|hostonly|generic|natnetwork",
    "nictype1": "Am79C970A|Am79C973|82540EM|82543GC|82545EM|virtio",
    "cpus": "[1-9][0-9]?",
    "memory": "[1-9][0-9]{0,6}",
}


def run(world: World, command: str, words: Sequence[str]) -> str:
    """Do one command; give what it prints."""
    known = {
        "createvm": createvm, "modifyvm": modifyvm, "storagectl": storagectl, "storageattach": storageattach,
        "startvm": startvm, "controlvm": controlvm, "showvminfo": showvminfo, "unregistervm": unregistervm,
        "modifymedium": modifymedium, "sharedfolder": sharedfolder,
    }  # fmt: skip
    if command not in known:
        raise Refused(f"Syntax error: Invalid command '{command}'")
    world.count(command)
    return known[command](world, list(words)) or ""


def createvm(world: World, words: list[str]) -> None:
    given = _options(words, {"name", "basefolder", "ostype", "platform-architecture"}, {"register"})
    if given["ostype"] not in SYSTEMS:
        raise Refused(f"Guest OS type '{given['ostype']}' is invalid")
    settings = Path(given["basefolder"], given["name"], f"{given['name']}.vbox")
    if settings.exists():
        raise Refused(f"Machine settings file '{settings}' already exists")
    settings.parent.mkdir()
    settings.write_text("<VirtualBox/>")
    facts = {
        "name": given["name"],
        "state": "poweroff",
        "settings": str(settings),
        "rules": {},
        "media": {},
        "shares": {},
    }
    world.put(KIND, str(world.number()), facts)


def modifyvm(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    if vm["state"] != "poweroff":
        raise Refused("The machine is not mutable (state is not PoweredOff)")
    while words:
        option = words.pop(0).removeprefix("--")
        if option == "natpf1":
            _rule(vm, words)
        elif option in CHOICES and re.fullmatch(CHOICES[option], words[0]):
            value = words.pop(0)
            vm[option] = int(value) if option in ("cpus", "memory") else value
        else:
            raise Refused(f"Syntax error: Invalid option --{option} {words[:1]}")
    world.put(KIND, vm["id"], vm)


def _rule(vm: Facts, words: list[str]) -> None:
    value = words.pop(0)
    if value == "delete":
        if vm["rules"].pop(words.pop(0), None) is None:
            raise Refused("NAT redirection rule not found")
        return
    name, protocol, *rest = value.split(",")
    if name in vm["rules"] or protocol not in ("tcp", "udp") or len(rest) != 4:
        raise Refused(f"A NAT rule of this name already exists, or it is none: {value}")
    vm["rules"][name] = rest


def storagectl(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    given = _options(words, {"name", "add", "portcount"}, set())
    if given["add"] != "sata":
        raise Refused("Invalid --add argument")
    world.put(KIND, vm["id"], {**vm, "controller": given["name"], "ports": int(given["portcount"])})


def storageattach(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    given = _options(words, {"storagectl", "port", "device", "type", "medium"}, set())
    if given["storagectl"] != vm.get("controller") or int(given["port"]) >= vm["ports"]:
        raise Refused(f"Could not find a storage controller named '{given['storagectl']}'")
    medium = Path(given["medium"])
    if given["type"] == "hdd":
        guests.check_disk(medium, "vdi")
    elif given["type"] != "dvddrive" or not medium.is_file():
        raise Refused(f"Could not find file for the medium '{medium}' (VERR_FILE_NOT_FOUND)")
    vm["media"][given["type"]] = str(medium)
    world.put(KIND, vm["id"], vm)


def modifymedium(world: World, words: list[str]) -> None:
    if words[0] != "disk" or words[2] != "--resize":
        raise Refused("Syntax error")
    (vm,) = [vm for vm in world.every(KIND) if vm["media"].get("hdd") == words[1]]
    world.put(KIND, vm["id"], {**vm, "disk": int(words[3])})


def sharedfolder(world: World, words: list[str]) -> None:
    order, vm = words.pop(0), _vm(world, words.pop(0))
    if vm["state"] != "poweroff":
        raise Refused("The machine is not mutable (state is not PoweredOff)")
    given = _options(words, {"name", "hostpath"} if order == "add" else {"name"}, set())
    if order == "add" and given["name"] not in vm["shares"] and Path(given["hostpath"]).is_absolute():
        vm["shares"][given["name"]] = given["hostpath"]
    elif order != "remove" or vm["shares"].pop(given["name"], None) is None:
        raise Refused(f"Could not find or add a shared folder named '{given['name']}'")
    world.put(KIND, vm["id"], vm)


def startvm(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    if words not in (["--type", "headless"], ["--type", "gui"]):
        raise Refused("Invalid frontend")
    if vm["state"] not in ("poweroff", "saved"):
        raise Refused(f"The machine '{vm['name']}' is already locked by a session (or being locked or unlocked)")
    if set(vm["media"]) != {"hdd", "dvddrive"} or vm.get("nic1") != "nat":
        raise Refused("FATAL: No bootable medium found!")
    address = guests.boot(world, vm, Path(vm["media"]["dvddrive"]), vm["shares"])
    if any(host != "127.0.0.1" for host, *_ in vm["rules"].values()):
        raise Refused("a rule listens to everyone")
    ports = {int(port): int(guest) for _, port, _, guest in vm["rules"].values()}
    vm |= {"state": "running", "booted": True, "forwarders": guests.forward(ports, address)}
    world.put(KIND, vm["id"], vm)


def controlvm(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    if vm["state"] not in ("running", "paused"):
        raise Refused(f"Machine '{vm['name']}' is not currently running.")
    (order,) = words
    if order == "resume" and vm["state"] == "paused":
        instances.pause(world, vm["id"], again=True)
        vm["state"] = "running"
    elif order == "pause" and vm["state"] == "running":
        instances.pause(world, vm["id"])
        vm["state"] = "paused"
    elif order == "poweroff" or (order == "acpipowerbutton" and vm["state"] == "running"):
        instances.stop(world, vm["id"], hard=order == "poweroff")
        guests.shut(vm["forwarders"])
        vm["state"] = "poweroff"
    else:
        raise Refused(f"Invalid machine state for {order}: {vm['state']}")
    world.put(KIND, vm["id"], vm)


def showvminfo(world: World, words: list[str]) -> str:
    vm = _vm(world, words.pop(0))
    if words != ["--machinereadable"]:
        raise Refused("Syntax error")
    rules = [
        f'Forwarding({at})="{",".join([name, "tcp", *rest])}"' for at, (name, rest) in enumerate(vm["rules"].items())
    ]
    lines = [f'name="{vm["name"]}"', f'CfgFile="{vm["settings"]}"', f'VMState="{vm["state"]}"', 'VMStateChangeTime="x"']
    for at, (name, path) in enumerate(vm["shares"].items(), start=1):
        lines += [f'SharedFolderNameMachineMapping{at}="{name}"', f'SharedFolderPathMachineMapping{at}="{path}"']
    return "\n".join([*lines, f"memory={vm.get('memory', 128)}", *rules])


def unregistervm(world: World, words: list[str]) -> None:
    vm = _vm(world, words.pop(0))
    if vm["state"] in ("running", "paused"):
        raise Refused(f"Cannot unregister the machine '{vm['name']}' while it is locked")
    if words != ["--delete"]:
        raise Refused("Syntax error")
    instances.remove(world, vm["id"])
    world.drop(KIND, vm["id"])


def _vm(world: World, name: str) -> Facts:
    found = [vm for vm in world.every(KIND) if vm["name"] == name]
    if not found:
        raise Refused(
            f"Could not find a registered machine named '{name}'\n"
            "VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND (0x80bb0001), component VirtualBoxWrap"
        )
    return found[0]


def _options(words: list[str], known: set[str], switches: set[str]) -> dict[str, str]:
    given: dict[str, str] = {}
    while words:
        option = words.pop(0).removeprefix("--")
        if option in switches:
            given[option] = ""
        elif option in known:
            given[option] = words.pop(0)
        else:
            raise Refused(f"Syntax error: Unknown option: --{option}")
    return given


if __name__ == "__main__":
    try:
        sys.stdout.write(run(World.here(), sys.argv[1], sys.argv[2:]) + "\n")
    except Refused as refused:
        sys.exit(f"VBoxManage: error: {refused}")
