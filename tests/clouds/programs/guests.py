"""The guests of stand-in hypervisors: container hosts that boot from the seed ISO which their VM was given."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pycdlib

from tests.clouds import instances
from tests.clouds.world import Facts, World


class Refused(Exception):  # noqa: N818 - it is what the program says
    """Say why a command is refused."""


# What mount(8) runs for a vboxsf, and open-vm-tools' own program: they show what the hypervisor shares, and only that.
MOUNT_VBOXSF = """\
#!/bin/sh
case "$3 $4" in "-o rw,uid="[0-9]*) ;; *) echo "mount.vboxsf: $*" >&2; exit 1 ;; esac
grep -qx "$1" /var/lib/shared/names && exec mount --bind "/var/lib/shared/of/$1" "$2"
"""
VMHGFS_FUSE = """\
#!/bin/sh
name=${1#.host:/}
case "$3 $4" in "-o allow_other,uid="[0-9]*) ;; *) exit 1 ;; esac
grep -qx "$name" /var/lib/shared/names && exec mount --bind "/var/lib/shared/of/$name" "$2"
"""


def boot(world: World, vm: Facts, seed: Path, shares: Mapping[str, str]) -> str:
    """Boot a VM's guest, for the first time or again, and give its address. shares: name -> folder."""
    for path in shares.values():
        if not Path(path).is_dir():
            raise Refused(f"Shared folder path '{path}' does not exist on the host")
    if vm.get("booted"):
        instances.put(world, vm["id"], _shared(shares))
        return instances.resume(world, vm["id"])
    user_data, about = (_read(seed, name) for name in ("user-data", "meta-data"))
    hostname = json.loads(about)["local-hostname"]
    address = instances.start(world, vm["id"], hostname=hostname, user_data=user_data, public_keys=[])
    instances.put(world, vm["id"], _shared(shares))
    return address


def forward(ports: Mapping[int, int], address: str) -> list[int]:
    """Lead ports of this computer to ports of a guest; give the processes."""
    made = []
    for port, guest in ports.items():
        command = [sys.executable, "-m", "tests.clouds.programs.forward", str(port), address, str(guest)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        assert process.stdout is not None
        process.stdout.readline()
        made.append(process.pid)
    return made


def shut(processes: list[int]) -> None:
    """End forwarding processes."""
    for process in processes:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM)


def check_disk(file: Path, kind: str, gib: int | None = None) -> None:
    """Refuse a disk that is not of the kind that a hypervisor takes."""
    asked = subprocess.run(
        ["qemu-img", "info", "--output=json", "-f", kind, str(file)], capture_output=True, check=False
    )
    if asked.returncode:
        raise Refused(f"{file} is no {kind} disk: {asked.stderr.decode()}")
    size = json.loads(asked.stdout)["virtual-size"]
    if gib and size != gib * 1024**3:
        raise Refused(f"{file} has {size} bytes")


def _shared(shares: Mapping[str, str]) -> bytes:
    """Pack what the guest sees of shared folders: as they are now, and not what is written there."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        texts = {"usr/sbin/mount.vboxsf": MOUNT_VBOXSF, "usr/bin/vmhgfs-fuse": VMHGFS_FUSE}
        for path, text in {**texts, "var/lib/shared/names": "\n".join(shares)}.items():
            member = tarfile.TarInfo(path)
            member.size, member.mode = len(text.encode()), 0o755
            tar.addfile(member, io.BytesIO(text.encode()))
        for name, folder in shares.items():
            tar.add(folder, f"var/lib/shared/of/{name}")
    return archive.getvalue()


def _read(seed: Path, name: str) -> str:
    image = pycdlib.PyCdlib()
    image.open(str(seed))
    label = image.pvd.volume_identifier.decode().strip()
    if label.upper() != "CIDATA":
        raise Refused(f"{seed} has the label {label}: cloud-init looks for CIDATA")
    found = io.BytesIO()
    image.get_file_from_iso_fp(found, joliet_path=f"/{name}")
    image.close()
    return found.getvalue().decode()
