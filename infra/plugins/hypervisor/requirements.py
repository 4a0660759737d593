"""What this computer needs for VMs, and whether it has it. Looks, and starts nothing heavy."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from infra.plugins.hypervisor import arch
from infra.plugins.server import PluginError

# By package manager: the first one found on PATH names the command.
INSTALL = {
    "apt-get": "sudo apt-get install --no-install-recommends qemu-system-{debian} qemu-utils",
    "dnf": "sudo dnf install qemu-kvm qemu-img",
    "zypper": "sudo zypper install qemu qemu-tools",
    "pacman": "sudo pacman -S qemu-base qemu-img",
    "brew": "brew install qemu",
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


def require() -> None:
    """Raise PluginError naming what is missing and what installs it."""
    missing = [finding for finding in check_host() if not finding.ok]
    if missing:
        raise PluginError(f"{missing[0].what}: {missing[0].found}. To mend it: {missing[0].mend}")


def _program(program: str, here: arch.Arch) -> Finding:
    path = shutil.which(program)
    if path:
        return Finding(program, path)
    command = next((text for manager, text in INSTALL.items() if shutil.which(manager)), "install QEMU")
    return Finding(program, "not on PATH", command.format(debian=DEBIAN_PACKAGES[here.debian]))
