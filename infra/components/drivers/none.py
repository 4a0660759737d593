"""A Docker daemon that is there already and known by its URL alone: nothing is made, installed or changed.

Options are spelled as docker-machine's none driver spells them. The folder of certificates is as DOCKER_CERT_PATH has
it: https://docs.docker.com/engine/security/protect-access/.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pulumi

from infra.components.drivers import About, Driver, Identity, Vm, option
from infra.components.drivers.generic import GenericHost
from infra.components.engine_scripts.configure import PORT
from infra.errors import PreCreateError, UsageError
from infra.machine import MachineSpec

FILES = {"ca_cert": "ca.pem", "client_cert": "cert.pem", "client_key": "key.pem"}
MEND = f"--none-cert-path FOLDER, one that holds {', '.join(FILES.values())}, PEM and with no password"


@dataclass(frozen=True, kw_only=True)
class NoneArgs:
    """Say where the daemon is and what opens it."""

    url: str = option(help="Where the daemon listens: tcp://HOST:PORT", aliases=("--url",))
    cert_path: str = option(
        "", help="Folder of ca.pem, cert.pem and key.pem; default: the stack's own certificates", env="NONE_CERT_PATH"
    )


def vm(spec: MachineSpec, args: NoneArgs, _identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Describe the daemon. Raises UsageError, and PreCreateError where its certificates are not there."""
    host, port = endpoint(spec.name, args.url)
    return Vm(
        resource=GenericHost(spec.name, host, opts),
        instance_id=args.url,
        address=host,
        private_address="",
        ssh_user="",
        ssh_port=0,
        ssh_private_key=None,
        ssh_host_key="",
        docker_port=port,
        certificates=_secretly(_read(spec.name, args.cert_path)) if args.cert_path else None,
    )


def endpoint(machine: str, url: str) -> tuple[str, int]:
    """Read the daemon's host and port from `tcp://HOST:PORT`, whose scheme and port may be left out.

    Raises UsageError.
    """
    try:
        parts = urlsplit(url if "://" in url else f"tcp://{url}")
        port = parts.port or PORT
    except ValueError:
        parts, port = urlsplit(""), PORT
    if parts.scheme != "tcp" or not parts.hostname or parts.path not in ("", "/") or parts.username:
        raise UsageError(f"--none-url {url!r} is not tcp://HOST:PORT", machine=machine)
    return parts.hostname, port


def check(spec: MachineSpec, args: NoneArgs) -> MachineSpec:
    """Look whether the certificates can be used, and make their folder's path absolute. The daemon is not asked."""
    endpoint(spec.name, args.url)
    if not args.cert_path:
        return spec
    folder = Path(args.cert_path).expanduser().absolute()
    _read(spec.name, str(folder))
    try:
        context = ssl.create_default_context(cafile=folder / FILES["ca_cert"])
        # Without a password of its own, OpenSSL would ask for one on the terminal.
        context.load_cert_chain(folder / FILES["client_cert"], folder / FILES["client_key"], password="")
    except ssl.SSLError as error:
        raise PreCreateError(
            f"the certificates in {folder} can't be used: {error.reason or error}", machine=spec.name, mend=MEND
        ) from None
    return replace(spec, options={**spec.options, "cert_path": str(folder)})


def _read(machine: str, folder: str) -> dict[str, str]:
    try:
        return {part: Path(folder, file).read_text() for part, file in FILES.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise PreCreateError(f"the certificates can't be read: {error}", machine=machine, mend=MEND) from None


def _secretly(texts: Mapping[str, str]) -> dict[str, pulumi.Input[str]]:
    return {**texts, "client_key": pulumi.Output.secret(texts["client_key"])}


ABOUT = About(
    title="A Docker daemon by its URL",
    credentials="The client certificate in `--none-cert-path`; without one, the stack's own, which the daemon is to "
    "trust: `mctl config` says where it is.",
    example="mctl create build --provider none --none-url tcp://192.0.2.7:2376 --none-cert-path ~/certs",
    makes="Nothing is made, installed or asked: a record and a docker context are written. There is no SSH to it, and "
    "`mctl start`, `stop`, `restart`, `kill`, `upgrade`, `provision` and `regenerate-certs` refuse.",
    costs="Nothing.",
)
DRIVER = Driver(
    name="none",
    args=NoneArgs,
    vm=vm,
    check=check,
    makes_vm=False,
    has_host=False,
    declares_power=False,
    about=ABOUT,
)
