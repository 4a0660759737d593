"""A new VM's disk: of the image that it starts from, as large as it was asked for.

Source: https://www.qemu.org/docs/master/tools/qemu-img.html
"""

from __future__ import annotations

import asyncio
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

from infra.plugins.hypervisor import image
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.image import Image
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

GIB = 1024**3
FREE_BYTES = 2 * GIB  # Docker's packages and a few images; disks are thin
DISK = "disk.qcow2"
# By format, what keeps the new disk one thin file.
FORMATS = {"vdi": (), "vmdk": ("-o", "subformat=monolithicSparse"), "vhdx": ("-o", "subformat=dynamic")}


async def make(folder: VmFolder, record: VmRecord, log: Log, *, boots_kernels: bool = True) -> Image:
    """Make `disk.qcow2` on top of the image, in the VM's folder. boots_kernels: the image needs no boot loader."""
    inputs = record.inputs
    found = await image.get(inputs["image"], inputs["imageSha256"], log, boots_kernels=boots_kernels)
    image_format, size = await asyncio.to_thread(image.describe, found.disk)
    if size > inputs["disk"] * GIB:
        raise PluginError(too_small(inputs["disk"], size))
    image.require_space(folder.path, FREE_BYTES)
    await asyncio.to_thread(_own, found, folder.path)
    size_text = f"{inputs['disk']}G"
    await qemu_img("create", "-q", "-f", "qcow2", "-b", "base", "-F", image_format, DISK, size_text, folder=folder.path)
    return found


async def make_as(kind: str, folder: VmFolder, record: VmRecord, log: Log) -> Path:
    """Make the VM's disk whole, in another hypervisor's format, and give its path. kind: one of FORMATS."""
    try:
        await make(folder, record, log, boots_kernels=False)
    except PluginError as error:
        raise PluginError(str(error).replace("--qemu-", f"--{record.backend}-")) from None
    disk = folder.path / f"disk.{kind}"
    await qemu_img("convert", "-q", "-O", kind, *FORMATS[kind], DISK, disk.name, folder=folder.path)
    for name in (DISK, "base"):
        (folder.path / name).unlink()
    return disk


def too_small(disk: int, image_bytes: int) -> str:
    """Say that an image doesn't fit."""
    needed = -(-image_bytes // GIB)
    return f"a disk of {disk} GiB is smaller than its image. Give it at least {needed} GiB"


async def qemu_img(*arguments: str, folder: Path) -> None:
    """Run qemu-img in a folder. Raises PluginError."""
    asked = await asyncio.create_subprocess_exec("qemu-img", *arguments, cwd=folder, stdout=DEVNULL, stderr=PIPE)
    _, said = await asked.communicate()
    if asked.returncode:
        text = said.decode(errors="replace").strip()
        mend = "Free some space, then try again" if "No space left" in text else f"Check {folder}"
        raise PluginError(f"qemu-img {arguments[0]} failed: {text.removeprefix('qemu-img: ')}. {mend}")


def _own(found: Image, folder: Path) -> None:
    """Give the VM its own name for its image, so that an emptied cache takes nothing from it."""
    files = {"base": found.disk, "vmlinuz": found.kernel, "initrd": found.initrd}
    for name, source in files.items():
        if source:
            try:
                os.link(source, folder / name)
            except OSError:  # another file system, or one without hard links
                shutil.copyfile(source, folder / name)
