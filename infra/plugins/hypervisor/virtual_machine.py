"""`hypervisor:index:VirtualMachine`: one VM on this computer.

Inputs: name, image (path, URL, empty for the default), imageSha256, cpus, memory (MiB), disk (GiB), forwards (guest
port -> port of this computer, 0 to choose), sshUser, authorizedKey, hostPrivateKey (secret), hostPublicKey, userData,
running. Outputs: all of them, and address, privateAddress, sshPort, dockerPort, ports, accelerator, state, instanceId.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

from infra.plugins.hypervisor import inputs as declared
from infra.plugins.hypervisor import qemu, requirements
from infra.plugins.hypervisor.inputs import REPLACING, RESTARTING
from infra.plugins.hypervisor.ports import HOST
from infra.plugins.hypervisor.seed import Seed
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord, own_folder
from infra.plugins.server import CheckFailure, Diff, Operation, PluginError, Resource
from infra.plugins.wire import UNKNOWN, Properties, is_secret, plain, secret

TOKEN = "hypervisor:index:VirtualMachine"  # noqa: S105 - a type's name
VERSION = "0.1.0"
COMPUTED = (
    "address", "privateAddress", "sshPort", "dockerPort", "ports", "accelerator", "state", "instanceId"
)  # fmt: skip
HARD_STOP = "MCTL_HARD_STOP"  # set for one run, as `mctl kill` does: the guest is not asked
IN_SEED = ("hostPrivateKey", "userData")


class VirtualMachine(Resource):
    """Make, look at, change and delete a VM."""

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Fill in defaults; refuse what can't be."""
        return declared.check(op.news)

    def diff(self, op: Operation) -> Diff:
        """Compare: what only takes a restart is changed in place."""
        olds, news = plain(op.olds), plain(op.news)
        changed = [key for key in news if news[key] != olds.get(key) and key not in op.ignore_changes]
        replaces = [key for key in changed if key in REPLACING]
        if "disk" in changed and isinstance(news["disk"], int) and news["disk"] < olds.get("disk", 0):
            replaces.append("disk")
        # The new one has the old one's name and ports.
        return Diff(tuple(changed), tuple(replaces), delete_before_replace=True)

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it and start it; take over what a killed run of the same resource left, where it is what is wanted."""
        if op.preview:
            return "", _kept_secret(op.news) | dict.fromkeys(COMPUTED, UNKNOWN)
        requirements.require()
        folder = own_folder(op.urn)
        wanted = _record(op)
        left = folder.load()
        if not (left and left.whole and left.digest == wanted.digest):
            left = None
            await qemu.delete(folder)
        try:
            record = left or await _make(folder, wanted, op)
            await (qemu.start(folder, record, op.log) if record.inputs["running"] else qemu.stop(folder))
        except BaseException as error:  # also a cancellation: nobody would know of what is left
            await asyncio.shield(qemu.delete(folder))
            if isinstance(error, OSError):
                raise _of_os(error) from error
            raise
        return folder.id, _outputs(folder, record, op.news)

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at the files and the process; an id is enough."""
        folder = VmFolder(op.id)
        record = folder.load()
        if not record or not record.whole or not (folder.path / "disk.qcow2").exists():
            return None
        known = op.old_inputs or op.olds
        values = {key: value for key, value in record.inputs.items() if key != "hasUserData"}
        for key in IN_SEED:
            values[key] = known[key] if key in known else secret(getattr(_seed_of(folder), declared.SEED_FIELDS[key]))
        for key in values.keys() & known.keys():
            values[key] = known[key] if plain(known[key]) == values[key] else values[key]
        values["running"] = qemu.process(folder) is not None
        return _outputs(folder, record, values), values

    async def update(self, op: Operation) -> Properties:
        """Change processors, memory, disk, forwards and power; stop the VM only where that takes it."""
        if op.preview:
            unsure = {"state", "accelerator"} | ({"ports", "sshPort", "dockerPort"} if _moved(op) else set())
            return op.olds | _kept_secret(op.news) | dict.fromkeys(unsure, UNKNOWN)
        requirements.require()
        folder = VmFolder(op.id)
        record = folder.load()
        if not record:
            raise PluginError(f"VM {op.name} is gone from this computer. Run refresh, then up, to make it again")
        wanted = _record(op)
        restart = any(wanted.inputs[key] != record.inputs[key] for key in RESTARTING)
        if restart or not wanted.inputs["running"]:
            await (qemu.end(folder) if os.environ.get(HARD_STOP) else qemu.stop(folder))
        if wanted.inputs["disk"] > record.inputs["disk"]:
            await qemu.grow(folder, wanted.inputs["disk"])
        record.urn, record.inputs, record.digest = op.urn, wanted.inputs, wanted.digest
        folder.save(record)
        if wanted.inputs["running"]:
            await qemu.start(folder, record, op.log)
        return _outputs(folder, record, op.news)

    async def delete(self, op: Operation) -> None:
        """End it and remove its folder."""
        await qemu.delete(VmFolder(op.id))


async def _make(folder: VmFolder, record: VmRecord, op: Operation) -> VmRecord:
    folder.make()
    folder.save(record)
    await qemu.make(folder, record, _seed(folder, plain(op.news)), op.log)
    return record


def _record(op: Operation) -> VmRecord:
    values = plain(op.news)
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
    kept = {key: value for key, value in values.items() if key not in IN_SEED}
    return VmRecord(op.urn, "qemu", kept | {"hasUserData": bool(values["userData"])}, digest)


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


def _outputs(folder: VmFolder, record: VmRecord, values: Properties) -> Properties:
    runs = qemu.process(folder) is not None
    return _kept_secret(values) | {
        "address": HOST,
        "privateAddress": qemu.PRIVATE_ADDRESS,
        "sshPort": record.ports.get("22", 0),
        "dockerPort": record.ports.get("2376", 0),
        "ports": dict(record.ports),
        "accelerator": record.accelerator,
        "state": "Running" if runs else "Stopped",
        "instanceId": folder.id,
    }


def _kept_secret(values: Properties) -> Properties:
    key = values["hostPrivateKey"]
    return values | {"hostPrivateKey": key if is_secret(key) or key == UNKNOWN else secret(key)}


def _moved(op: Operation) -> bool:
    return bool(plain(op.olds).get("forwards") != plain(op.news)["forwards"])


def _of_os(error: OSError) -> PluginError:
    where = f" ({error.filename})" if error.filename else ""
    return PluginError(f"{error.strerror or error}{where}. Check that MCTL_HOME is on a disk with space that you own")
