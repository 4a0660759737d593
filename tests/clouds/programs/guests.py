"""The guests of stand-in hypervisors: container hosts that boot from the seed ISO which their VM was given."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pycdlib

from tests.clouds import instances
from tests.clouds.world import Facts, World


class Refused(Exception):  # noqa: N818 - it is what the program says
    """Say why a command is refused."""


def boot(world: World, vm: Facts, seed: Path) -> str:
    """Boot a VM's guest, for the first time or again, and give its address."""
    if vm.get("booted"):
        return instances.resume(world, vm["id"])
    user_data, about = (_read(seed, name) for name in ("user-data", "meta-data"))
    hostname = json.loads(about)["local-hostname"]
    return instances.start(world, vm["id"], hostname=hostname, user_data=user_data, public_keys=[])


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
