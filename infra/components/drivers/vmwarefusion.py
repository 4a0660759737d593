"""A VMware Fusion VM on this Mac, of a cloud image, at an address of its own behind Fusion's NAT.

Options are spelled as docker-machine's vmwarefusion driver spells them, sizes in MB as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.components.drivers import About, option
from infra.components.drivers.hypervisor import Hypervisor
from infra.components.drivers.sizes import gib, processors


@dataclass(frozen=True, kw_only=True)
class FusionArgs:
    """Say how large the VM is and what it starts from."""

    cpu_count: int = option(2, help="Virtual processors; -1 for all", env="FUSION_CPU_COUNT")
    memory_size: int = option(2048, help="Memory in MB", env="FUSION_MEMORY_SIZE")
    disk_size: int = option(20000, help="Disk in MB, rounded up to GiB; it can grow later", env="FUSION_DISK_SIZE")
    image: str = option("", help="Cloud image, a file or a URL; default: Debian 12", env="FUSION_IMAGE")
    image_sha256: str = option("", help="SHA-256 that the image must have", env="FUSION_IMAGE_SHA256")
    ssh_user: str = option("mctl", help="User to make and log in as", env="FUSION_SSH_USER")
    share_folder: tuple[str, ...] = option(
        (),
        help="Folder of this computer to show in the VM at /NAME: FOLDER:NAME (repeatable)",
        env="FUSION_SHARE_FOLDER",
    )


def inputs(args: FusionArgs) -> dict[str, Any]:
    """Give the plugin's inputs."""
    return {"cpus": processors(args.cpu_count), "memory": args.memory_size, "disk": gib(args.disk_size)}


FLAGS = {
    "cpus": "cpu-count",
    "memory": "memory-size",
    "disk": "disk-size",
    "sshUser": "ssh-user",
    "imageSha256": "image-sha256",
    "shares": "share-folder",
}
ABOUT = About(
    title="VMware Fusion",
    credentials="None: `vmrun` is run as you.",
    example="mctl create dev --provider vmwarefusion --vmwarefusion-memory-size 4096",
    makes="A `.vmx` file with its disk and its cloud-init seed, all in a folder of its own. The VM is behind Fusion's "
    "NAT, at an address that this computer alone reaches. Folders of "
    "this computer are shown in the VM where `--vmwarefusion-share-folder` names them; open-vm-tools mounts them, and "
    "is installed where the image lacks it.",
    costs="Nothing.",
)
MEND = "see that the VM can install and start open-vm-tools, then run mctl up; or share no folder"
DRIVER = Hypervisor(name="vmwarefusion", inputs=inputs, flags=FLAGS, shares="hgfs", mend=MEND).driver(FusionArgs, ABOUT)
