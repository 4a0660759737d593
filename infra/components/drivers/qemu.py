"""A QEMU VM on this computer.

Options are spelled as docker-machine's virtualbox driver spells them, where it has them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.components.drivers import About, option
from infra.components.drivers.hypervisor import Hypervisor


@dataclass(frozen=True, kw_only=True)
class QemuArgs:
    """Say how large the VM is and what it starts from."""

    cpu_count: int = option(2, help="Virtual processors", env="QEMU_CPU_COUNT", aliases=("--qemu-cpus",))
    memory: int = option(2048, help="Memory in MiB", env="QEMU_MEMORY")
    disk_size: int = option(20, help="Disk in GiB; it can grow later", env="QEMU_DISK_SIZE", aliases=("--qemu-disk",))
    image: str = option("", help="Disk image, a file or a URL; default: Debian 12", env="QEMU_IMAGE")
    image_sha256: str = option("", help="SHA-256 that the image must have", env="QEMU_IMAGE_SHA256")
    ssh_user: str = option("mctl", help="User to make and log in as", env="QEMU_SSH_USER")
    open_port: tuple[str, ...] = option(
        (), help="Port of the VM to reach from this computer: GUEST, or HOST:GUEST (repeatable)", env="QEMU_OPEN_PORT"
    )


def inputs(args: QemuArgs) -> dict[str, Any]:
    """Give the plugin's inputs."""
    return {"cpus": args.cpu_count, "memory": args.memory, "disk": args.disk_size}


FLAGS = {
    "cpus": "cpu-count",
    "disk": "disk-size",
    "forwards": "open-port",
    "sshUser": "ssh-user",
    "imageSha256": "image-sha256",
}
ABOUT = About(
    title="QEMU on this computer",
    credentials="None.",
    example="mctl create web-1 --qemu-memory 4096",
    makes="A VM with a disk of its own, and ports of this computer that lead to it: on loopback alone, so that "
    "no firewall is needed.",
    costs="Memory while it is on, and the disk that it fills.",
)
# `doctor` looks at more than its programs.
DRIVER = Hypervisor(name="qemu", inputs=inputs, flags=FLAGS).driver(QemuArgs, ABOUT, account=False)
