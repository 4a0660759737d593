"""Whether the processor's virtualization really works here.

A device file that is there and answers proves nothing: nested virtualization is often switched on and broken. What
counts is a kernel that prints its first line within seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import platform
import shutil
import sys
from asyncio.subprocess import DEVNULL, PIPE, STDOUT, Process
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from infra.plugins.hypervisor import arch
from infra.plugins.hypervisor.vm_folder import cache

SECONDS = 8
SIGNS = (b"Linux version", b"login:", b"systemd[1]")
BY_SYSTEM = {"linux": "kvm", "darwin": "hvf", "win32": "whpx"}
# `max` is the richest processor that can be emulated; threads, one for each virtual processor.
EMULATED = ("-accel", "tcg,thread=multi", "-cpu", "max")


@dataclass(frozen=True)
class Accelerator:
    """What VMs are started with: kvm, hvf, whpx, or tcg (emulation). reason: why, for the user."""

    name: str
    reason: str

    def options(self) -> list[str]:
        """Give QEMU's options."""
        return list(EMULATED) if self.name == "tcg" else ["-accel", self.name, "-cpu", "host"]


async def probe(kernel: Path | None = None, disk: Path | None = None) -> Accelerator:
    """Try this system's accelerator once by booting a kernel, or a disk that has one; a few seconds at most.

    The answer is kept until this computer or QEMU changes. Without a kernel or disk, one found here is taken.
    """
    name = BY_SYSTEM.get(sys.platform, "tcg")
    refused = _refusal(name)
    if refused:
        return Accelerator("tcg", refused)
    kept = await _kept_file(name)
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Accelerator(**json.loads(kept.read_text()))
    kernel = kernel or (None if disk else _kernel_here())
    if not kernel and not disk:
        return Accelerator("tcg", f"{name} is not proven yet: the first VM will try it")
    works = await _boots(name, kernel, disk)
    found = Accelerator(name, f"{name} works") if works else Accelerator("tcg", f"no kernel boots with {name} here")
    kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept.write_text(json.dumps(asdict(found)))
    return found


def _refusal(name: str) -> str:
    """Say why an accelerator can't work, where that is plain without trying."""
    if name == "tcg":
        return f"QEMU has no accelerator for {platform.system()}"
    if name == "kvm" and not Path("/dev/kvm").exists():
        return "/dev/kvm is missing: the processor, the firmware or an outer hypervisor has virtualization off"
    if name == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is not open to you: sudo usermod -aG kvm $USER, then log in again"
    return ""


async def _kept_file(name: str) -> Path:
    program = shutil.which(arch.host().qemu) or ""
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    booted = boot_id.read_text() if boot_id.exists() else str(psutil.boot_time())
    asked = await asyncio.create_subprocess_exec(program, "--version", stdout=PIPE, stderr=DEVNULL)
    version, _ = await asked.communicate()
    key = hashlib.sha256(f"{name}\n{booted}\n".encode() + version).hexdigest()[:16]
    return cache() / "accelerator" / f"{key}.json"


def _kernel_here() -> Path | None:
    """Find a kernel: of an image of ours, or this computer's own where it may be read."""
    found = [*sorted((cache() / "images").glob("*/vmlinuz")), Path("/boot", f"vmlinuz-{platform.release()}")]
    return next((file for file in found if os.access(file, os.R_OK)), None)


async def _boots(name: str, kernel: Path | None, disk: Path | None) -> bool:
    here = arch.host()
    command = [here.qemu, *Accelerator(name, "").options(), "-M", here.board, "-m", "512", "-display", "none"]
    command += ["-nodefaults", "-no-reboot", "-serial", "stdio"]
    if kernel:
        append = f"console={here.console} earlyprintk=serial earlycon panic=-1"
        command += ["-kernel", str(kernel), "-append", append]
    else:
        command += [*firmware(here), "-snapshot", "-drive", f"file={str(disk).replace(',', ',,')},if=virtio"]
    process = await asyncio.create_subprocess_exec(
        *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    try:
        # A disk goes through its firmware's and boot loader's waits before its kernel says a word.
        return await asyncio.wait_for(_sign(process), SECONDS if kernel else 4 * SECONDS)
    except TimeoutError:
        return False
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _sign(process: Process) -> bool:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    seen = b""
    while chunk := await process.stdout.read(4096):
        seen = (seen + chunk)[-65536:]
        if any(sign in seen for sign in SIGNS):
            return True
    return False


def firmware(here: arch.Arch) -> list[str]:
    """Give the option for boards that come without firmware."""
    return ["-bios", here.firmware] if here.firmware else []
