"""The qemu backend: the command line, start, stop, and which process is the VM's.

A VM runs unprivileged, apart from the CLI (`-daemonize`), listens on 127.0.0.1 only, and is controlled over its QMP
socket. Its process is known by what QEMU wrote into the pid file, its start time, and its own command line.
Sources: https://www.qemu.org/docs/master/system/invocation.html, https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import tempfile
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
from qemu.qmp import QMPClient, QMPError

from infra.plugins.hypervisor import accelerator, arch, disk, ports, requirements
from infra.plugins.hypervisor.accelerator import Accelerator
from infra.plugins.hypervisor.backend import Look, forwarded
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.requirements import Finding
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

RESOLVER = "10.0.2.3"  # what QEMU's user network gives a guest
PRIVATE_ADDRESS = "10.0.2.15"
POWERDOWN_SECONDS = 90  # an emulated system takes its time to shut down
PRESS_SECONDS = 5
QUIT_SECONDS = 10
START_TRIES = 3
SOCKET_LENGTH = 100  # sun_path holds 104 bytes on macOS, 108 on Linux


def check_host() -> list[Finding]:
    """Look for QEMU's programs."""
    return requirements.check_host()


async def make(folder: VmFolder, record: VmRecord, seed: Seed, log: Log) -> None:
    """Fill a new VM's folder: its base image, its own disk on top, and its seed. The record's `whole` becomes true."""
    found = await disk.make(folder, record, log)
    folder.write("seed.iso", seed.iso())
    record.direct_boot = found.kernel is not None
    record.whole = True
    folder.save(record)


async def change(folder: VmFolder, olds: Mapping[str, Any], news: Mapping[str, Any]) -> None:
    """Make the stopped VM's disk larger; the guest grows its file system when it boots. The rest is told at a start."""
    if news["disk"] > olds["disk"]:
        await disk.qemu_img("resize", "-q", disk.DISK, f"{news['disk']}G", folder=folder.path)


async def look(folder: VmFolder, record: VmRecord) -> Look | None:
    """Look at the files and the process."""
    if not (folder.path / disk.DISK).exists():
        return None
    return forwarded("Running" if process(folder) else "Stopped", PRIVATE_ADDRESS, record)


async def start(folder: VmFolder, record: VmRecord, log: Log) -> None:
    """Start the VM and write down its ports and accelerator. Does nothing where it runs."""
    if process(folder):
        return
    found = await _accelerator(folder, record)
    if found.name == "tcg" and record.accelerator != "tcg":
        await log(f"the processor is emulated, which is slow: {found.reason}")
    for last in (False,) * (START_TRIES - 1) + (True,):
        record.ports = ports.assign(record.inputs["forwards"], record.ports, folder)
        record.accelerator = found.name
        folder.save(record)  # before the start, so that a killed run leaves what it is about to do
        said = await _launch(command(folder, record, found))
        if not said:
            return
        if "host forwarding rule" not in said or last:
            break
    raise PluginError(
        f"QEMU did not start {record.inputs['name']}: {said}. Its console is in {folder.path / 'serial.log'}"
    )


def command(folder: VmFolder, record: VmRecord, chosen: Accelerator) -> list[str]:
    """Write QEMU's command line."""
    here, path = arch.host(), folder.path
    forwards = "".join(f",hostfwd=tcp:{ports.HOST}:{port}-:{guest}" for guest, port in record.ports.items())
    line = [here.qemu, "-name", folder.id, "-machine", here.board, *chosen.options()]
    line += ["-smp", str(record.inputs["cpus"]), "-m", str(record.inputs["memory"])]
    line += ["-nodefaults", "-no-user-config", "-display", "none", "-daemonize", "-pidfile", str(path / "qemu.pid")]
    line += ["-qmp", f"unix:{_comma(socket_path(folder))},server=on,wait=off"]
    line += ["-serial", f"file:{path / 'serial.log'}"]
    line += _drive("disk", path / disk.DISK, "format=qcow2,cache=writeback,discard=unmap,detect-zeroes=unmap")
    line += _drive("seed", path / "seed.iso", "format=raw,readonly=on")
    # Without romfile= QEMU would load a network boot ROM that nothing uses.
    line += ["-netdev", f"user,id=net{forwards}", "-device", "virtio-net-pci,netdev=net,romfile="]
    line += ["-device", "virtio-rng-pci"]
    return line + (_direct_boot(path, record, here, chosen) if record.direct_boot else accelerator.firmware(here))


def process(folder: VmFolder) -> psutil.Process | None:
    """Find the VM's process, or None where it doesn't run. A pid alone proves nothing."""
    pid_file = folder.path / "qemu.pid"
    try:
        found = psutil.Process(int(pid_file.read_text()))
        # A process that began after its pid file was written only has a dead one's number.
        return found if _runs(found, pid_file) and found.create_time() <= pid_file.stat().st_mtime + 2 else None
    except FileNotFoundError:
        return None if folder.path.exists() else _orphan(pid_file)
    except (OSError, ValueError, psutil.Error):
        return None


def _runs(found: psutil.Process, pid_file: Path) -> bool:
    """Tell whether a process is a QEMU that was started with this pid file, and has not ended."""
    with contextlib.suppress(psutil.Error):
        return found.status() != psutil.STATUS_ZOMBIE and str(pid_file) in found.cmdline()
    return False


def _orphan(pid_file: Path) -> psutil.Process | None:
    """Find the process of a VM whose folder was deleted while it ran."""
    return next((found for found in psutil.process_iter() if _runs(found, pid_file)), None)


async def stop(folder: VmFolder) -> None:
    """Shut the guest down as its power button would; where it doesn't end in time, end it."""
    deadline = time.monotonic() + POWERDOWN_SECONDS
    while process(folder) and time.monotonic() < deadline:
        await _ask(folder, "system_powerdown")  # again and again: a guest that still boots doesn't hear it
        await _ended(folder, PRESS_SECONDS)
    await end(folder)


async def end(folder: VmFolder) -> None:
    """End the VM's process now. Does nothing where there is none."""
    if process(folder):
        await _ask(folder, "quit")
        await _ended(folder, QUIT_SECONDS)
    if found := process(folder):
        found.kill()
        await _ended(folder, QUIT_SECONDS)
    socket_path(folder).unlink(missing_ok=True)


async def delete(folder: VmFolder) -> None:
    """End the VM and remove all that it left. Succeeds where it is gone."""
    await end(folder)
    await asyncio.to_thread(folder.remove)


def socket_path(folder: VmFolder) -> Path:
    """Give the QMP socket's path: in the folder, or in a private one with a short name."""
    path = folder.path / "qmp.sock"
    if len(os.fsencode(path)) <= SOCKET_LENGTH:
        return path
    short = Path(tempfile.gettempdir(), f"mctl-{os.getuid()}")
    short.mkdir(mode=0o700, exist_ok=True)
    status = short.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o077 or short.is_symlink():
        raise PluginError(f"{short} must be a folder that only you can open. Remove it, then try again")
    return short / f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:16]}.sock"


def _direct_boot(path: Path, record: VmRecord, here: arch.Arch, chosen: Accelerator) -> list[str]:
    append = f"root=/dev/vda rw quiet console={here.console}"
    if not record.inputs["hasUserData"]:
        append += " cloud-init=disabled"
    if chosen.name == "tcg":
        append += " mitigations=off"  # they guard a speculating processor; an emulated one doesn't speculate
    return ["-kernel", str(path / "vmlinuz"), "-initrd", str(path / "initrd"), "-append", append]


def _drive(name: str, file: Path, options: str) -> list[str]:
    return ["-drive", f"if=none,id={name},file={_comma(file)},{options}", "-device", f"virtio-blk-pci,drive={name}"]


def _comma(path: Path) -> str:
    return str(path).replace(",", ",,")  # QEMU's way of escaping


async def _accelerator(folder: VmFolder, record: VmRecord) -> Accelerator:
    if record.direct_boot:
        return await accelerator.probe(kernel=folder.path / "vmlinuz")
    return await accelerator.probe(disk=folder.path / "base")


async def _launch(line: list[str]) -> str:
    """Start QEMU; give what it said where it refused."""
    launched = await asyncio.create_subprocess_exec(
        *line, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True, umask=0o077
    )
    _, said = await launched.communicate()
    text = said.decode(errors="replace").strip().removeprefix(f"{line[0]}: ")
    return (text or f"exit status {launched.returncode}") if launched.returncode else ""


async def _ask(folder: VmFolder, order: str) -> None:
    """Give an order over QMP; a VM that doesn't listen is left to harder means."""
    logging.getLogger("qemu.qmp").setLevel(logging.CRITICAL)
    client = QMPClient("mctl")
    with contextlib.suppress(QMPError, OSError, EOFError, TimeoutError):
        async with asyncio.timeout(QUIT_SECONDS):
            await client.connect(str(socket_path(folder)))
            await client.execute(order)
    with contextlib.suppress(QMPError, OSError, EOFError, TimeoutError):
        async with asyncio.timeout(QUIT_SECONDS):
            await client.disconnect()


async def _ended(folder: VmFolder, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process(folder) and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
