"""A VirtualMachine's inputs: defaults, what can't be, and what a change of each one takes."""

from __future__ import annotations

import re
from typing import Any

from infra.cloud_init import user_data_type
from infra.plugins.hypervisor import disk, image
from infra.plugins.hypervisor.ports import ALWAYS
from infra.plugins.server import CheckFailure, PluginError
from infra.plugins.wire import Properties, has_unknown, is_secret, plain

BACKENDS = ("qemu", "virtualbox", "vmwarefusion", "hyperv")
DEFAULTS: Properties = {
    "backend": "qemu",
    "image": "",
    "imageSha256": "",
    "cpus": 2,
    "memory": 2048,
    "disk": 20,
    "forwards": {},
    "shares": {},
    "network": "",
    "sshUser": "mctl",
    "userData": "",
    "running": True,
}
REQUIRED = ("name", "authorizedKey", "hostPrivateKey", "hostPublicKey")
NUMBERS = {"cpus": (1, 256, "processors"), "memory": (256, 4 * 1024**2, "MiB"), "disk": (1, 64 * 1024, "GiB")}
USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")  # useradd(8), CAVEATS
REPLACING = ("backend", "network", "image", "sshUser", "authorizedKey", "hostPrivateKey", "hostPublicKey", "userData")
RESTARTING = ("cpus", "memory", "disk", "forwards", "shares")
SHARING = ("virtualbox", "vmwarefusion")
SHARE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}")
# A mount there would hide what the VM itself is made of: file-hierarchy(7).
OF_THE_SYSTEM = "bin boot dev etc home lib lib32 lib64 proc root run sbin sys tmp usr var".split()  # noqa: SIM905
SEED_FIELDS = {"hostPrivateKey": "host_private_key", "userData": "user_data"}


def check(given: Properties) -> tuple[Properties, list[CheckFailure]]:
    """Give the inputs with defaults, and what is wrong with them; what isn't known yet is let through."""
    values = DEFAULTS | {key: value for key, value in given.items() if value is not None}
    failures = [
        CheckFailure(key, f"VirtualMachine has no input {key}")
        for key in values
        if key not in DEFAULTS and key not in REQUIRED and not key.startswith("__")
    ]
    failures += [CheckFailure(key, f"{key} is missing") for key in REQUIRED if not plain(values.get(key))]
    if not has_unknown(values["forwards"]) and not is_secret(values["forwards"]):
        values["forwards"] = dict.fromkeys(ALWAYS, 0) | values["forwards"]
        failures += _forwards(values["forwards"])
    for key, (least, most, unit) in NUMBERS.items():
        if not has_unknown(values[key]) and not _whole(values[key], least, most):
            failures.append(CheckFailure(key, f"{key} must be a whole number of {unit} from {least} to {most}"))
    if not has_unknown(values["backend"]) and plain(values["backend"]) not in BACKENDS:
        failures.append(CheckFailure("backend", f"backend is one of: {', '.join(BACKENDS)}"))
    failures += _user_data(values["userData"]) + _shares(values)
    if not has_unknown(values["sshUser"]) and not USER.fullmatch(str(plain(values["sshUser"]))):
        failures.append(CheckFailure("sshUser", f"{plain(values['sshUser'])!r} is not a user's name such as mctl"))
    return values, failures or _fits(values)


def _whole(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _forwards(forwards: Any) -> list[CheckFailure]:
    bad = [
        f"{guest}: {port}"
        for guest, port in forwards.items()
        if not str(guest).isdigit() or not 0 < int(guest) < 65536 or not _whole(port, 0, 65535)
    ]
    declared = [port for port in forwards.values() if port]
    if len(declared) != len(set(declared)):
        bad.append("one port of this computer leads to two of the VM")
    return [
        CheckFailure("forwards", f"forwards are not ports of the VM to ports of this computer: {', '.join(bad)}")
    ] * bool(bad)


def _shares(values: Properties) -> list[CheckFailure]:
    shares, backend = plain(values["shares"]), plain(values["backend"])
    if not shares or has_unknown([shares, backend]):
        return []
    if backend not in SHARING:
        return [CheckFailure("shares", f"{backend} shares no folders: {' and '.join(SHARING)} do")]
    bad = [name for name in shares if not SHARE.fullmatch(name) or name in OF_THE_SYSTEM]
    why = "a share is mounted at /NAME: NAME is letters, digits and _.-, and no folder of the system"
    return [CheckFailure("shares", f"{why}: {', '.join(bad)}")] * bool(bad)


def _user_data(value: Any) -> list[CheckFailure]:
    text = plain(value)
    if not text or has_unknown(value):
        return []
    try:
        user_data_type(text)
    except ValueError as error:
        return [CheckFailure("userData", str(error))]
    return []


def _fits(values: Properties) -> list[CheckFailure]:
    """Compare the disk with the image where that is here already; elsewhere create does."""
    if has_unknown([values["image"], values["imageSha256"], values["disk"]]):
        return []
    found = image.here(plain(values["image"]), plain(values["imageSha256"]))
    if not found:
        return []
    try:
        _, size = image.describe(found)
    except (PluginError, OSError) as error:
        return [CheckFailure("image", str(error))] if isinstance(error, PluginError) else []
    too_small = size > values["disk"] * disk.GIB
    return [CheckFailure("disk", disk.too_small(values["disk"], size))] if too_small else []
