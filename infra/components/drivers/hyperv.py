"""A Hyper-V VM on this computer, of a cloud image, at an address of its own on a virtual switch.

Options are spelled as docker-machine's hyperv driver spells them, sizes in MB as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.components.drivers import About, option
from infra.components.drivers.hypervisor import Hypervisor
from infra.components.drivers.sizes import gib, processors


@dataclass(frozen=True, kw_only=True)
class HyperVArgs:
    """Say how large the VM is and what it starts from."""

    cpu_count: int = option(2, help="Virtual processors; -1 for all", env="HYPERV_CPU_COUNT")
    memory: int = option(2048, help="Memory in MB", env="HYPERV_MEMORY")
    disk_size: int = option(20000, help="Disk in MB, rounded up to GiB; it can grow later", env="HYPERV_DISK_SIZE")
    virtual_switch: str = option("", help="Virtual switch; default: Default Switch", env="HYPERV_VIRTUAL_SWITCH")
    image: str = option("", help="Cloud image, a file or a URL; default: Debian 12", env="HYPERV_IMAGE")
    image_sha256: str = option("", help="SHA-256 that the image must have", env="HYPERV_IMAGE_SHA256")
    ssh_user: str = option("mctl", help="User to make and log in as", env="HYPERV_SSH_USER")


def inputs(args: HyperVArgs) -> dict[str, Any]:
    """Give the plugin's inputs."""
    return {
        "cpus": processors(args.cpu_count),
        "memory": args.memory,
        "disk": gib(args.disk_size),
        "network": args.virtual_switch,
    }


FLAGS = {
    "cpus": "cpu-count",
    "disk": "disk-size",
    "network": "virtual-switch",
    "sshUser": "ssh-user",
    "imageSha256": "image-sha256",
}
ABOUT = About(
    title="Hyper-V",
    credentials="None, but you must be an administrator or one of the group Hyper-V Administrators.",
    example="mctl create dev --provider hyperv --hyperv-memory 4096",
    makes="A generation 2 VM with its disk and its cloud-init seed, all in a folder of its own, on a virtual switch. "
    "Hyper-V shares no folders with Linux: `mctl mount` and `mctl scp` are for that.",
    costs="Nothing.",
)
DRIVER = Hypervisor(name="hyperv", inputs=inputs, flags=FLAGS).driver(HyperVArgs, ABOUT)
