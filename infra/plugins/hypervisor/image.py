"""The disk that a VM starts from: the user's file or URL, Debian's cloud image, or one built here.

Each is kept once under the cache, whole or not at all, and one run at a time makes it.
Source: https://cloud.debian.org/images/cloud/
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from infra.plugins.hypervisor import arch, debian_image
from infra.plugins.hypervisor.debian_image import Log
from infra.plugins.hypervisor.vm_folder import cache
from infra.plugins.server import PluginError

DEBIAN = "https://cloud.debian.org/images/cloud/bookworm/latest"
REACH_SECONDS = 4  # to learn whether Debian's server can be reached at all
READ_SECONDS = 30
CHUNK = 1024 * 1024
STRIDE = 32 * CHUNK  # between two lines of progress


@dataclass(frozen=True)
class Image:
    """One kept image. kernel and initrd: None where the disk has its own boot loader."""

    disk: Path
    kernel: Path | None = None
    initrd: Path | None = None


async def get(wanted: str, sha256: str, log: Log, *, boots_kernels: bool = True) -> Image:
    """Get the image: `wanted` is a path, a URL, or empty for the default. Raises PluginError, saying what mends it.

    boots_kernels: one without a boot loader will do, as that which is built here.
    """
    if not wanted:
        return await _default(log, boots_kernels=boots_kernels)
    if "://" in wanted:
        key = "url-" + hashlib.sha256(f"{wanted}\n{sha256}".encode()).hexdigest()[:16]
        return await _kept(key, lambda folder: _download(wanted, folder / "disk", "sha256", sha256, log), log)
    source = Path(wanted).expanduser()
    if not source.is_file():
        raise PluginError(f"there is no image {source}. Give an image file's path or URL with --qemu-image")
    digest = await asyncio.to_thread(_digest, source, "sha256")
    _compare(str(source), "sha256", digest, sha256)
    return await _kept(f"file-{digest[:16]}", lambda folder: _copy(source, folder / "disk"), log)


def here(wanted: str, sha256: str) -> Path | None:
    """Give the disk of an image that needs no download or build; None where it isn't here."""
    if wanted and "://" not in wanted:
        source = Path(wanted).expanduser()
        return source if source.is_file() else None
    if wanted:
        keys = ["url-" + hashlib.sha256(f"{wanted}\n{sha256}".encode()).hexdigest()[:16]]
    else:
        keys = [_official_key(), debian_image.recipe(arch.host())]
    return next((found.disk for key in keys if (found := _open(cache() / "images" / key))), None)


def describe(disk: Path) -> tuple[str, int]:
    """Tell a disk image's format and size in bytes. Raises PluginError where it is none, or leans on another file."""
    asked = subprocess.run(
        ["qemu-img", "info", "--force-share", "--output=json", str(disk)], capture_output=True, text=True, check=False
    )
    if asked.returncode:
        raise PluginError(f"{disk} is not a disk image that QEMU can read: {asked.stderr.strip()}")
    facts: dict[str, Any] = json.loads(asked.stdout)
    if "backing-filename" in facts:
        raise PluginError(f"{disk} leans on another image. Make it whole: qemu-img convert -O qcow2 {disk} whole.qcow2")
    return str(facts["format"]), int(facts["virtual-size"])


def _official_key() -> str:
    return f"debian-12-generic-{arch.host().debian}"


async def _default(log: Log, *, boots_kernels: bool) -> Image:
    here_arch = arch.host()
    images = cache() / "images"
    built = debian_image.recipe(here_arch)
    for key in (_official_key(), built) if boots_kernels else (_official_key(),):
        if found := _open(images / key):
            return found
    name = f"debian-12-generic-{here_arch.debian}.qcow2"
    try:
        sums = await asyncio.to_thread(_fetch_text, f"{DEBIAN}/SHA512SUMS")
    except (OSError, TimeoutError) as error:
        if not boots_kernels:
            raise PluginError(
                f"Debian's cloud image can't be downloaded ({error}). Give an image with --qemu-image FILE|URL"
            ) from None
        return await _build(built, str(error), log)
    sha512 = next((line.split()[0] for line in sums.splitlines() if line.endswith(f" {name}")), "")
    if not sha512:
        raise PluginError(f"{DEBIAN}/SHA512SUMS does not list {name}. Give an image with --qemu-image FILE|URL")
    url = f"{DEBIAN}/{name}"
    return await _kept(_official_key(), lambda folder: _download(url, folder / "disk", "sha512", sha512, log), log)


async def _build(key: str, why: str, log: Log) -> Image:
    missing = debian_image.missing_programs()
    if missing or not shutil.which("apt-get"):
        remedy = f"Install what building one takes: sudo apt-get install {' '.join(missing)}; or give" * bool(
            shutil.which("apt-get")
        )
        raise PluginError(
            f"Debian's cloud image can't be downloaded ({why}). {remedy or 'Give'} an image with --qemu-image FILE|URL"
        )
    await log(f"Debian's cloud image can't be downloaded ({why}): building one here")
    return await _kept(key, lambda folder: debian_image.build(folder, arch.host(), log), log)


async def _kept(key: str, make: Callable[[Path], Any], log: Log) -> Image:
    """Give a kept image, made first where there is none."""
    folder = cache() / "images" / key
    if found := _open(folder):
        return found
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    async with _alone(folder.with_name(f"{key}.lock"), log):
        if found := _open(folder):
            return found
        partial = folder.with_name(f"{key}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        require_space(folder.parent, debian_image.NEEDED_BYTES)
        partial.mkdir(mode=0o700)
        try:
            await make(partial)
            partial.rename(folder)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    made = _open(folder)
    assert made is not None  # noqa: S101 - it was just made
    return made


def require_space(folder: Path, needed: int) -> None:
    """Raise PluginError where a file system has less free space than needed (bytes)."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise PluginError(
            f"{folder} has {free / 1024**3:.1f} GiB free and {needed / 1024**3:.1f} GiB are needed. Free some space, "
            "or point MCTL_HOME and MCTL_CACHE_DIR at a larger disk"
        )


@asynccontextmanager
async def _alone(file: Path, log: Log) -> AsyncIterator[None]:
    """Hold a lock that ends with this process, however it ends."""
    lock = FileLock(file, thread_local=False)
    waiting = False
    while True:
        try:
            lock.acquire(timeout=0)
            break
        except Timeout:
            if not waiting:
                await log("waiting: another run is getting the same image")
                waiting = True
            await asyncio.sleep(0.5)
    try:
        yield
    finally:
        lock.release()


def _open(folder: Path) -> Image | None:
    if (folder / "vmlinuz").exists():
        return Image(folder / "disk.qcow2", folder / "vmlinuz", folder / "initrd")
    return Image(folder / "disk") if (folder / "disk").exists() else None


async def _copy(source: Path, target: Path) -> None:
    await asyncio.to_thread(shutil.copyfile, source, target)


async def _download(url: str, target: Path, algorithm: str, expected: str, log: Log) -> None:
    loop, stopped = asyncio.get_running_loop(), False

    def progress(done: int, total: int) -> None:
        if stopped:  # a thread can't be cancelled
            raise OSError("stopped")
        if done // STRIDE > (done - CHUNK) // STRIDE:
            share = f"{100 * done // total} %" if total else f"{done // CHUNK} MiB"
            asyncio.run_coroutine_threadsafe(tell(f"downloading {url}: {share}"), loop)

    async def tell(text: str) -> None:
        await log(text)

    try:
        found = await asyncio.to_thread(_save, url, target, algorithm, progress)
    except asyncio.CancelledError:
        stopped = True
        raise
    except (OSError, ValueError) as error:
        raise PluginError(
            f"{url} can't be downloaded: {getattr(error, 'reason', None) or error}. Check the address and the network, "
            "or give an image file with --qemu-image"
        ) from None
    _compare(url, algorithm, found, expected)


def _save(url: str, target: Path, algorithm: str, progress: Callable[[int, int], None]) -> str:
    digest, done = hashlib.new(algorithm), 0
    with urllib.request.urlopen(url, timeout=READ_SECONDS) as source, target.open("wb") as file:  # noqa: S310 - the user's own URL
        total = int(source.headers.get("Content-Length") or 0)
        while chunk := source.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            done += len(chunk)
            progress(done, total)
    return digest.hexdigest()


def _fetch_text(url: str) -> str:
    with urllib.request.urlopen(url, timeout=REACH_SECONDS) as source:  # noqa: S310 - a fixed https address
        return bytes(source.read()).decode()


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, algorithm).hexdigest()


def _compare(what: str, algorithm: str, found: str, expected: str) -> None:
    if expected and found != expected.lower():
        raise PluginError(
            f"{what} has {algorithm} {found}, not {expected.lower()}: it is another file than you meant, or damaged. "
            "Check where it comes from, then correct the sum or the image"
        )
