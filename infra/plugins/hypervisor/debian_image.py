"""Build our own Debian 12 image with mmdebstrap, for places where the official one can't be downloaded.

ext4 straight on the disk, kernel and initial RAM disk beside it: the VM starts them directly, without firmware menus
and boot loader. apt's lists and the Docker packages are kept in the image, so that installing them fetches nothing.
Source: https://manpages.debian.org/bookworm/mmdebstrap/mmdebstrap.1.en.html
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from infra.plugins.hypervisor import guest
from infra.plugins.hypervisor.arch import Arch
from infra.plugins.server import PluginError

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
SECURITY_MIRROR = "http://deb.debian.org/debian-security"
PACKAGES = (
    "apparmor",
    "busybox-static",
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "iproute2",
    "iptables",
    "kmod",
    "netbase",
    "openssh-server",
    "procps",
    "sudo",
    "systemd-sysv",
    "udev",
)
DOWNLOADED = ("docker.io",)
DISK_BYTES = 3 * 1024**3  # the file system; it grows with the VM's disk
NEEDED_BYTES = 5 * 1024**3  # while building: root file system, its archive, and the disk
UNUSED = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")
Log = Callable[[str], Awaitable[None]]


def recipe(arch: Arch) -> str:
    """Name the image: another recipe, or another mirror, makes another image."""
    text = "\n".join(
        (*_mmdebstrap(arch, Path("root.tar"), Path("customize")), guest.customize(arch.debian, DOWNLOADED), _sources())
    )
    return f"debian-12-{arch.debian}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def missing_programs() -> list[str]:
    """List the Debian packages that building needs and this computer lacks."""
    needs = {"mmdebstrap": "mmdebstrap", "mke2fs": "e2fsprogs", "tar": "tar", "qemu-img": "qemu-utils"}
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    return sorted(package for program, package in needs.items() if not shutil.which(program, path=path))


async def build(folder: Path, arch: Arch, log: Log) -> None:
    """Fill a folder with disk.qcow2, vmlinuz and initrd. Raises PluginError with what apt or mke2fs said."""
    with tempfile.TemporaryDirectory(prefix="mctl-image-") as scratch:
        archive, customize = Path(scratch, "root.tar"), Path(scratch, "customize")
        Path(scratch).chmod(0o755)  # in a user namespace mmdebstrap is another user
        customize.write_text(guest.customize(arch.debian, DOWNLOADED))
        customize.chmod(0o755)
        await log("building the Debian 12 image (once, about two minutes): installing the base system")
        await _run(_mmdebstrap(arch, archive, customize), stdin=_sources())
        await log("building the Debian 12 image: writing the disk")
        await _run(["sh", "-c", _unpacked(archive, folder)])
        raw = folder / "disk.raw"
        namespace = [] if os.geteuid() == 0 else ["mmdebstrap", "--unshare-helper"]
        with raw.open("wb") as disk:
            await _run([*namespace, "sh", "-euc", _pack(), "sh", str(archive)], stdout=disk.fileno())
        await _run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(folder / "disk.qcow2")])
        raw.unlink()


def _mmdebstrap(arch: Arch, archive: Path, customize: Path) -> list[str]:
    command = ["mmdebstrap", "--quiet", "--mode=auto", "--variant=minbase", f"--architectures={arch.debian}"]
    command += [f"--include={','.join((*PACKAGES, f'linux-image-cloud-{arch.debian}'))}"]
    command += ["--skip=cleanup/apt", '--aptopt=Acquire::Languages "none"', "--dpkgopt=force-unsafe-io"]
    command += [f"--dpkgopt=path-exclude={path}" for path in UNUSED]
    command += [f'--customize-hook={customize} "$1"']
    return [*command, SUITE, str(archive), "-"]


def _unpacked(archive: Path, folder: Path) -> str:
    return f"cd '{folder}' && tar -xf '{archive}' --strip-components=2 ./boot/vmlinuz ./boot/initrd"


def _pack() -> str:
    """Write the script that turns a root file system's archive ($1) into a disk, on its standard output."""
    return f"""\
PATH=$PATH:/usr/sbin:/sbin
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/root"
tar -C "$work/root" --exclude='./dev/*' -xf "$1"
mke2fs -q -t ext4 -m 0 -L mctl -E lazy_itable_init=1,nodiscard -d "$work/root" "$work/disk" {DISK_BYTES // 1024}k >&2
cat "$work/disk"
"""


def _sources() -> str:
    """Give apt's source lines: this computer's own mirror of Debian where it has one, nothing of third parties."""
    mirror, security = MIRROR, SECURITY_MIRROR
    for file in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if file.suffix not in (".list", ".sources") or not file.is_file():
            continue
        for url in re.findall(r"^(?:deb (?:\[[^]]*\] )?|URIs: *)(https?://\S+)", file.read_text(), re.M):
            kind = url.rstrip("/").rpartition("/")[2]
            mirror, security = (url if kind == "debian" else mirror), (url if kind == "debian-security" else security)
    return "".join(
        f"deb {url} {suite} main\n"
        for url, suite in ((mirror, SUITE), (mirror, f"{SUITE}-updates"), (security, f"{SUITE}-security"))
    )


async def _run(command: list[str], *, stdin: str = "", stdout: int = asyncio.subprocess.DEVNULL) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=asyncio.subprocess.PIPE, stdout=stdout, stderr=asyncio.subprocess.PIPE, start_new_session=True
    )
    try:
        _, said = await process.communicate(stdin.encode())
    except asyncio.CancelledError:
        process.terminate()
        await process.wait()
        raise
    if process.returncode:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        raise PluginError(
            f"building the Debian 12 image failed in {command[0]}: {'; '.join(lines[-3:]) or 'it said nothing'}. "
            "Check that apt-get update works here, or give an image with --qemu-image FILE|URL"
        )
