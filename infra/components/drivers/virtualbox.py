"""A VirtualBox VM on this computer, of a cloud image, reached by forwarded ports.

Options are spelled as docker-machine's virtualbox driver spells them, sizes in MB as there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from infra.components.drivers import About, option
from infra.components.drivers.hypervisor import Hypervisor
from infra.components.drivers.sizes import gib, processors


@dataclass(frozen=True, kw_only=True)
class VirtualBoxArgs:
    """Say how large the VM is and what it starts from."""

    cpu_count: int = option(2, help="Virtual processors; -1 for all", env="VIRTUALBOX_CPU_COUNT")
    memory: int = option(2048, help="Memory in MB", env="VIRTUALBOX_MEMORY_SIZE")
    disk_size: int = option(20000, help="Disk in MB, rounded up to GiB; it can grow later", env="VIRTUALBOX_DISK_SIZE")
    image: str = option("", help="Cloud image, a file or a URL; default: Debian 12", env="VIRTUALBOX_IMAGE")
    image_sha256: str = option("", help="SHA-256 that the image must have", env="VIRTUALBOX_IMAGE_SHA256")
    ssh_user: str = option("mctl", help="User to make and log in as", env="VIRTUALBOX_SSH_USER")
    open_port: tuple[str, ...] = option(
        (),
        help="Port of the VM to reach from this computer: GUEST, or HOST:GUEST (repeatable)",
        env="VIRTUALBOX_OPEN_PORT",
    )
    share_folder: tuple[str, ...] = option(
        (),
        help="Folder of this computer to show in the VM at /NAME: FOLDER:NAME (repeatable)",
        env="VIRTUALBOX_SHARE_FOLDER",
    )


def inputs(args: VirtualBoxArgs) -> dict[str, Any]:
    """Give the plugin's inputs."""
    return {"cpus": processors(args.cpu_count), "memory": args.memory, "disk": gib(args.disk_size)}


FLAGS = {
    "cpus": "cpu-count",
    "disk": "disk-size",
    "forwards": "open-port",
    "sshUser": "ssh-user",
    "imageSha256": "image-sha256",
    "shares": "share-folder",
}
ABOUT = About(
    title="VirtualBox",
    credentials="None: `VBoxManage` is run as you.",
    example="mctl create dev --provider virtualbox --virtualbox-memory 4096",
    makes="A VM in VirtualBox with its disk and its cloud-init seed, all in a folder of its own. Ports of `127.0.0.1` "
    "lead to its SSH and Docker ports, so nothing else on the network reaches it. Folders of this computer are "
    "shown in the VM where `--virtualbox-share-folder` names them; its kernel needs the module `vboxsf` then, which "
    "Debian's generic image has on x86.",
    costs="Nothing.",
)
MEND = "choose an image whose kernel has vboxsf, as Debian's generic one, with --virtualbox-image, or share no folder"
DRIVER = Hypervisor(name="virtualbox", inputs=inputs, flags=FLAGS, shares="vboxsf", mend=MEND).driver(
    VirtualBoxArgs, ABOUT
)
