"""Instances of a stand-in cloud: container hosts whose cloud-init reads what the cloud was sent, and nothing else.

Each start gives another address, as most clouds do, unless the caller keeps one.
"""

from __future__ import annotations

import io
import json
import os
import re
import socket
import tarfile
import time
from pathlib import PurePath
from typing import Any

from tests.clouds.world import World
from tests.container_daemon import docker
from tests.container_hosts import RUN

DAEMON, IMAGE, NETWORK, SUBNET = (f"MCTL_TEST_CLOUD_{name}" for name in ("DAEMON", "IMAGE", "NETWORK", "SUBNET"))
BOOT_SECONDS = 180  # many may boot at once
Facts = dict[str, Any]


def start(
    world: World,
    id: str,  # noqa: A002
    *,
    hostname: str,
    user_data: str,
    public_keys: list[str],
    address: str = "",
) -> str:
    """Boot a new instance with its seed, and give its address once its sshd answers (or at once, if `slow`)."""
    name, address = _container(world, id), address or new_address(world)
    network = ("--network", os.environ[NETWORK], "--ip", address)
    labels = ("--label", f"mctl-test-cloud={world.folder}")
    _docker("create", "--name", name, "--hostname", "seed", *labels, *RUN, *network, os.environ[IMAGE], "/sbin/init")
    seed = _seed(id, hostname, user_data, public_keys)
    docker(os.environ[DAEMON], "cp", "--archive", "-", f"{name}:/", stdin=seed)
    _docker("start", name)
    _await_sshd(address)
    return address


def stop(world: World, id: str, *, hard: bool = False) -> None:  # noqa: A002
    """Shut an instance down; hard: at once."""
    _docker("kill" if hard else "stop", *(() if hard else ("--time", "20")), _container(world, id))


def resume(world: World, id: str, address: str = "") -> str:  # noqa: A002
    """Switch an instance on again, and give its address: a new one unless one is named."""
    name, address = _container(world, id), address or new_address(world)
    _docker("network", "disconnect", os.environ[NETWORK], name)
    _docker("network", "connect", "--ip", address, os.environ[NETWORK], name)
    _docker("start", name)
    _await_sshd(address)
    return address


def put(world: World, id: str, archive: bytes) -> None:  # noqa: A002
    """Unpack a tar archive on an instance's disk, on or off."""
    docker(os.environ[DAEMON], "cp", "--archive", "-", f"{_container(world, id)}:/", stdin=archive)


def run(world: World, id: str, script: str) -> None:  # noqa: A002
    """Run a script as root on a running instance, past SSH, as its console does."""
    _docker("exec", _container(world, id), "sh", "-c", script)


def lead(world: World, id: str, address: str) -> None:  # noqa: A002
    """Have a further address lead to a running instance, until it is switched off."""
    _docker("exec", _container(world, id), "ip", "address", "replace", f"{address}/16", "dev", "eth0")


def pause(world: World, id: str, *, again: bool = False) -> None:  # noqa: A002
    """Take its processors away, or give them again."""
    _docker("unpause" if again else "pause", _container(world, id))


def runs(world: World, id: str) -> bool:  # noqa: A002
    """Tell whether an instance is on: a guest may have shut itself down."""
    said = docker(os.environ[DAEMON], "inspect", "--format", "{{.State.Running}}", _container(world, id), check=False)
    return said == "true"


def remove(world: World, id: str) -> None:  # noqa: A002
    """Remove an instance with its disk."""
    docker(os.environ[DAEMON], "rm", "--force", "--volumes", _container(world, id), check=False)


def _docker(*arguments: str) -> str:
    return docker(os.environ[DAEMON], *arguments)


def _container(world: World, id: str) -> str:  # noqa: A002
    return f"{os.environ[NETWORK]}-{PurePath(world.folder).name}-{re.split('[/:]', id)[-1]}"


def new_address(world: World) -> str:
    """Give an address that no instance of any cloud had before. SUBNET: its first two numbers."""
    number = World(world.folder.parent / "addresses").number()
    return f"{os.environ[SUBNET]}.{number // 200}.{number % 200 + 10}"


def _seed(id: str, hostname: str, user_data: str, public_keys: list[str]) -> bytes:  # noqa: A002
    """Write the NoCloud seed, as cloud-init's documentation has it."""
    about = {"instance-id": id, "local-hostname": hostname, "public-keys": public_keys}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, text in (("user-data", user_data), ("meta-data", json.dumps(about))):
            member = tarfile.TarInfo(f"var/lib/cloud/seed/nocloud/{name}")
            member.size, member.mode = len(text.encode()), 0o600
            tar.addfile(member, io.BytesIO(text.encode()))
    return archive.getvalue()


def _await_sshd(address: str) -> None:
    """Wait until cloud-init has let sshd start."""
    end = time.monotonic() + BOOT_SECONDS
    while time.monotonic() < end:
        try:
            with socket.create_connection((address, 22), timeout=1) as connection:
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the instance at {address} did not start its sshd in {BOOT_SECONDS} s")
