"""What this computer needs for VMs, and whether it has it. Looks, and starts nothing heavy."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from infra.plugins.hypervisor import arch

# By package manager: the first one found on PATH names the command.
INSTALL = {
    "apt-get": "sudo apt-get install --no-install-recommends qemu-system-{debian} qemu-utils",
    "dnf": "sudo dnf install qemu-kvm qemu-img",
    "zypper": "sudo zypper install qemu qemu-tools",
    "pacman": "sudo pacman -S qemu-base qemu-img",
    "brew": "brew install qemu",
}
INSTALL_IMAGE_TOOL = {
    "apt-get": "sudo apt-get install --no-install-recommends qemu-utils",
    "dnf": "sudo dnf install qemu-img",
    "zypper": "sudo zypper install qemu-tools",
    "pacman": "sudo pacman -S qemu-img",
    "brew": "brew install qemu",
    "winget": "winget install SoftwareFreedomConservancy.QEMU",
}
FUSION = "/Applications/VMware Fusion.app/Contents"
PLACES = {
    "VBoxManage": ("C:\\Program Files\\Oracle\\VirtualBox\\VBoxManage.exe",),
    "vmrun": (f"{FUSION}/Public/vmrun", f"{FUSION}/Library/vmrun"),
    "vmware-vdiskmanager": (f"{FUSION}/Public/vmware-vdiskmanager", f"{FUSION}/Library/vmware-vdiskmanager"),
}
DEBIAN_PACKAGES = {"amd64": "x86", "arm64": "arm"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. mend: the command that puts it right, empty where it is right."""

    what: str
    found: str
    mend: str = ""

    @property
    def ok(self) -> bool:
        """Tell whether it is right."""
        return not self.mend


def check_host() -> list[Finding]:
    """Look for QEMU's programs."""
    try:
        here = arch.host()
    except KeyError as error:
        return [Finding("processor", f"{error.args[0]} is neither x86_64 nor arm64", "use another provider than qemu")]
    return [_program(program, here) for program in (here.qemu, "qemu-img")]


def with_image_tool(program: str, mend: str) -> list[Finding]:
    """Look for a hypervisor's program, and for qemu-img, which makes its disks. mend: what installs the program."""
    path = find(program)
    own = Finding(program, path) if path else Finding(program, "not on PATH", mend)
    image_tool = shutil.which("qemu-img")
    if image_tool:
        return [own, Finding("qemu-img", image_tool)]
    command = next((text for manager, text in INSTALL_IMAGE_TOOL.items() if shutil.which(manager)), "install QEMU")
    return [own, Finding("qemu-img", "not on PATH", command)]


def find(program: str) -> str:
    """Find a hypervisor's program, on PATH or where its installer puts it; empty where it isn't there."""
    return shutil.which(program) or next((path for path in PLACES.get(program, ()) if os.access(path, os.X_OK)), "")


def _program(program: str, here: arch.Arch) -> Finding:
    path = shutil.which(program)
    if path:
        return Finding(program, path)
    command = next((text for manager, text in INSTALL.items() if shutil.which(manager)), "install QEMU")
    return Finding(program, "not on PATH", command.format(debian=DEBIAN_PACKAGES[here.debian]))
