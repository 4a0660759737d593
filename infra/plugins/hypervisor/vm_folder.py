"""What this computer keeps of one VM: a folder, and in it `vm.json`, whatever the backend.

The folder's name is made from the resource's URN alone, so that a run that was killed before the Pulumi engine heard of
the VM finds it again. Secrets are in the seed, never in `vm.json`. Nothing that lacks a `vm.json` is ever deleted.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs

from infra.plugins.server import PluginError

FORMAT = 1


def home() -> Path:
    """Give mctl's home: MCTL_HOME, else ~/.mctl."""
    return Path(os.environ.get("MCTL_HOME") or Path.home() / ".mctl").expanduser().absolute()


def cache() -> Path:
    """Give the folder of images and probe results: MCTL_CACHE_DIR, else the OS's place for caches."""
    return Path(os.environ.get("MCTL_CACHE_DIR") or platformdirs.user_cache_dir("mctl")).expanduser().absolute()


def vm_id(urn: str) -> str:
    """Name a VM: readable, and as unique as its URN.

    >>> vm_id("urn:pulumi:web-1::mctl::hypervisor:index:VirtualMachine::web-1-vm")
    'mctl-web-1-web-1-vm-3cc0bcf0'
    """
    _, _, rest = urn.partition("urn:pulumi:")
    stack, project, _, name = rest.split("::", 3)
    readable = re.sub(r"[^A-Za-z0-9.-]+", "-", f"{project}-{stack}-{name}")[:80].strip("-.")
    return f"{readable}-{hashlib.sha256(urn.encode()).hexdigest()[:8]}"


@dataclass
class VmRecord:
    """What `vm.json` says.

    inputs: as checked, without secrets. ports: guest port -> port of this computer. accelerator: what it was last
    started with. direct_boot: the kernel lies beside the disk. whole: False until the disk is made.
    """

    urn: str
    backend: str
    inputs: dict[str, Any]
    digest: str
    ports: dict[str, int] = field(default_factory=dict)
    accelerator: str = ""
    direct_boot: bool = False
    whole: bool = False
    format: int = FORMAT


class VmFolder:
    """One VM's folder."""

    def __init__(self, identifier: str) -> None:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9.-]*", identifier):
            raise PluginError(f"{identifier!r} is not the id of a VM")
        self.id = identifier
        self.path = home() / "vms" / identifier

    def load(self) -> VmRecord | None:
        """Read `vm.json`; None where there is none. Raises PluginError where it can't be understood."""
        file = self.path / "vm.json"
        try:
            return VmRecord(**json.loads(file.read_text()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise PluginError(
                f"the record of VM {self.id} can't be read ({error}). Put {file} right, or delete {self.path}"
            ) from None

    def save(self, record: VmRecord) -> None:
        """Write `vm.json` whole or not at all."""
        self.write("vm.json", json.dumps(asdict(record), indent=1).encode())

    def write(self, name: str, content: bytes) -> None:
        """Write one file, readable by its owner only, whole or not at all."""
        descriptor, temporary = tempfile.mkstemp(dir=self.path, prefix=f".{name}.")  # mkstemp makes it 0600
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path / name)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def make(self) -> None:
        """Make the folder, private. Raises PluginError where something that is not ours is in its place."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        if any(not entry.name.startswith(".vm.json.") for entry in self.path.iterdir()):
            raise PluginError(f"{self.path} is there and holds no VM of ours. Move it away, then try again")

    def remove(self) -> None:
        """Delete the folder and all in it, if it is ours. The VM must have ended."""
        if (self.path / "vm.json").exists():
            shutil.rmtree(self.path)


def own_folder(urn: str) -> VmFolder:
    """Give a resource's folder, there or not. A VM that was renamed keeps the folder of its old name."""
    for folder in every():
        with suppress(PluginError):  # of a damaged one, which is told where that is its own
            if (record := folder.load()) and record.urn == urn:
                return folder
    folder, number = VmFolder(vm_id(urn)), 1
    while folder.load():
        number += 1
        folder = VmFolder(f"{vm_id(urn)}-{number}")
    return folder


def of_stack(project: str, stack: str) -> list[VmFolder]:
    """List what one stack's VMs have left on this computer, known to the stack's state or not."""
    return [folder for folder in every() if (_record := folder.load()) and _owner(_record.urn) == (project, stack)]


def every() -> list[VmFolder]:
    """List every VM's folder."""
    return [VmFolder(file.parent.name) for file in sorted((home() / "vms").glob("*/vm.json"))]


def _owner(urn: str) -> tuple[str, str]:
    stack, project, *_ = urn.removeprefix("urn:pulumi:").split("::")
    return project, stack
