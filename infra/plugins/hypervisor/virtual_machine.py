"""`hypervisor:index:VirtualMachine`: one VM on this computer.

Inputs: backend (qemu, virtualbox, vmwarefusion, hyperv), name, image (path, URL, empty for the default), imageSha256,
cpus, memory (MiB), disk (GiB), forwards (guest port -> port of this computer, 0 to choose), shares (name -> folder of
this computer), network (Hyper-V's switch), sshUser, authorizedKey, hostPrivateKey (secret), hostPublicKey, userData,
running. Outputs: all of them, and address, privateAddress, sshPort, dockerPort, ports, accelerator, state, instanceId.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from infra.machine import HARD_STOP
from infra.plugins.hypervisor import hyperv, qemu, virtualbox, vmwarefusion
from infra.plugins.hypervisor import inputs as declared
from infra.plugins.hypervisor.backend import Backend, Look
from infra.plugins.hypervisor.inputs import REPLACING, RESTARTING
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord, own_folder
from infra.plugins.server import CheckFailure, Diff, Operation, PluginError, Resource
from infra.plugins.wire import UNKNOWN, Properties, is_secret, plain, secret

TOKEN = "hypervisor:index:VirtualMachine"  # noqa: S105 - a type's name
VERSION = "0.1.0"
COMPUTED = (
    "address", "privateAddress", "sshPort", "dockerPort", "ports", "accelerator", "state", "instanceId"
)  # fmt: skip
BACKENDS: Mapping[str, Backend] = {
    "qemu": qemu, "virtualbox": virtualbox, "vmwarefusion": vmwarefusion, "hyperv": hyperv
}  # fmt: skip
ADDRESSED = ("vmwarefusion", "hyperv")  # each start may give another address
OF_BEFORE: Properties = {
    "backend": "qemu",
    "network": "",
    "shares": {},
}  # of stack states and records of before there were others
IN_SEED = ("hostPrivateKey", "userData")


class VirtualMachine(Resource):
    """Make, look at, change and delete a VM."""

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Fill in defaults; refuse what can't be."""
        return declared.check(op.news)

    def diff(self, op: Operation) -> Diff:
        """Compare: what only takes a restart is changed in place."""
        olds, news = plain(op.olds), plain(op.news)
        olds = OF_BEFORE | olds
        changed = [key for key in news if news[key] != olds.get(key) and key not in op.ignore_changes]
        if olds.get("state") == "Paused" and "running" not in changed:
            changed.append("running")  # neither on nor off: either is to be made of it
        replaces = [key for key in changed if key in REPLACING]
        if "disk" in changed and isinstance(news["disk"], int) and news["disk"] < olds.get("disk", 0):
            replaces.append("disk")
        # The new one has the old one's name and ports.
        return Diff(tuple(changed), tuple(replaces), delete_before_replace=True)

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it and start it; take over what a killed run of the same resource left, where it is what is wanted."""
        if op.preview:
            return "", _kept_secret(op.news) | dict.fromkeys(COMPUTED, UNKNOWN)
        folder = own_folder(op.urn)
        wanted = _record(op)
        backend = BACKENDS[wanted.backend]
        _require(backend)
        left = folder.load()
        if not (left and left.whole and left.digest == wanted.digest and await _of(left).look(folder, left)):
            # Also where there is no record: a folder that was deleted by hand leaves its VM running.
            await (_of(left) if left else backend).delete(folder)
            left = None
        try:
            record = left or await _make(folder, wanted, op)
            await (backend.start(folder, record, op.log) if record.inputs["running"] else backend.stop(folder))
        except BaseException as error:  # also a cancellation: nobody would know of what is left
            await asyncio.shield(backend.delete(folder))
            if isinstance(error, OSError):
                raise _of_os(error) from error
            raise
        return folder.id, await _outputs(folder, record, op.news)

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at what this computer and the hypervisor have; an id is enough."""
        folder = VmFolder(op.id)
        record = folder.load()
        look = await _of(record).look(folder, record) if record and record.whole else None
        if not record or not look:
            return None
        known = op.old_inputs or op.olds
        values = OF_BEFORE | record.inputs
        del values["hasUserData"]
        for key in IN_SEED:
            values[key] = known[key] if key in known else secret(getattr(_seed_of(folder), declared.SEED_FIELDS[key]))
        for key in values.keys() & known.keys():
            values[key] = known[key] if plain(known[key]) == values[key] else values[key]
        values["running"] = look.is_on
        return _told(folder, record, values, look), values

    async def update(self, op: Operation) -> Properties:
        """Change processors, memory, disk, forwards, shares and power; stop the VM only where that takes it."""
        if op.preview:
            return op.olds | _kept_secret(op.news) | dict.fromkeys(_unsure(op), UNKNOWN)
        folder = VmFolder(op.id)
        record = folder.load()
        if not record:
            raise PluginError(f"VM {op.name} is gone from this computer. Run refresh, then up, to make it again")
        wanted, backend = _record(op), _of(record)
        _require(backend)
        olds = OF_BEFORE | record.inputs
        restart = any(wanted.inputs[key] != olds[key] for key in RESTARTING)
        if restart or not wanted.inputs["running"]:
            await (backend.end(folder) if os.environ.get(HARD_STOP) else backend.stop(folder))
        if restart:
            await backend.change(folder, olds, wanted.inputs)
        record.urn, record.inputs, record.digest = op.urn, wanted.inputs, wanted.digest
        folder.save(record)
        if wanted.inputs["running"]:
            await backend.start(folder, record, op.log)
        return await _outputs(folder, record, op.news)

    async def delete(self, op: Operation) -> None:
        """End it and remove its folder."""
        folder = VmFolder(op.id)
        record = folder.load()
        backend = _of(record) if record else BACKENDS[plain(op.olds).get("backend", "qemu")]
        await backend.delete(folder)


async def state(identifier: str) -> str:
    """Say what state a VM is in: Running, Stopped, Paused or Saved; empty where it is gone. Raises PluginError."""
    folder = VmFolder(identifier)
    record = folder.load()
    look = await _of(record).look(folder, record) if record else None
    return look.state if look else ""


async def _make(folder: VmFolder, record: VmRecord, op: Operation) -> VmRecord:
    folder.make()
    folder.save(record)
    await _of(record).make(folder, record, _seed(folder, plain(op.news)), op.log)
    return record


def _of(record: VmRecord) -> Backend:
    return BACKENDS[record.backend]


def _require(backend: Backend) -> None:
    """Raise PluginError naming what is missing and what installs it."""
    missing = [finding for finding in backend.check_host() if not finding.ok]
    if missing:
        raise PluginError(f"{missing[0].what}: {missing[0].found}. To mend it: {missing[0].mend}")


def _record(op: Operation) -> VmRecord:
    values = plain(op.news)
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    kept = {key: value for key, value in values.items() if key not in IN_SEED}
    return VmRecord(op.urn, values["backend"], kept | {"hasUserData": bool(values["userData"])}, digest)


def _seed(folder: VmFolder, values: Mapping[str, Any]) -> Seed:
    return Seed(
        instance_id=folder.id,
        hostname=values["name"],
        user=values["sshUser"],
        authorized_key=values["authorizedKey"],
        host_private_key=values["hostPrivateKey"],
        host_public_key=values["hostPublicKey"],
        resolver=qemu.RESOLVER,
        user_data=values["userData"],
    )


def _seed_of(folder: VmFolder) -> Seed:
    return Seed.read(folder.path / "seed.iso")


async def _outputs(folder: VmFolder, record: VmRecord, values: Properties) -> Properties:
    look = await _of(record).look(folder, record)
    if not look:
        raise PluginError(f"VM {folder.id} is gone from this computer. Run refresh, then up, to make it again")
    return _told(folder, record, values, look)


def _told(folder: VmFolder, record: VmRecord, values: Properties, look: Look) -> Properties:
    return _kept_secret(values) | {
        "address": look.address,
        "privateAddress": look.private_address,
        "sshPort": look.ssh_port,
        "dockerPort": look.docker_port,
        "ports": dict(record.ports),
        "accelerator": record.accelerator,
        "state": look.state,
        "instanceId": folder.id,
    }


def _kept_secret(values: Properties) -> Properties:
    key = values["hostPrivateKey"]
    return values | {"hostPrivateKey": key if is_secret(key) or key == UNKNOWN else secret(key)}


def _unsure(op: Operation) -> set[str]:
    """List the outputs that an update may change."""
    olds, news = plain(op.olds), plain(op.news)
    unsure = {"state", "accelerator"}
    if olds.get("forwards") != news["forwards"]:
        unsure |= {"ports", "sshPort", "dockerPort"}
    if news["backend"] in ADDRESSED:
        unsure |= {"address", "privateAddress"}
    return unsure


def _of_os(error: OSError) -> PluginError:
    where = f" ({error.filename})" if error.filename else ""
    return PluginError(f"{error.strerror or error}{where}. Check that MCTL_HOME is on a disk with space that you own")
