"""Which key logs in to a host that is there: the agent's, else a default one of ssh; and whose host key is trusted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stacks import downloads
from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop


@pytest.fixture
def shop(tmp_path: Path, host: ContainerHost) -> Iterator[Shop]:
    """A user's home that knows the host, and nothing else."""
    shop = Shop(tmp_path)
    # The Pulumi engine that setup found or built is kept below the real home.
    shop.variables |= {"MCTL_CACHE_DIR": str(downloads.cache()), "HOME": str(tmp_path), "SSH_AUTH_SOCK": ""}
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "known_hosts").write_text(f"other.example ssh-ed25519 AAAA\n{host.address} {host.host_key}\n")
    yield shop
    shop.mctl("rm", "-y", "box")


def create(shop: Shop, host: ContainerHost, *more: str) -> str:
    ran = shop.mctl("create", "box", "--provider", "generic", "--generic-ip-address", host.address, *more)
    assert ran.code == 0, ran.err
    return ran.err


def test_a_default_key_of_ssh_and_known_hosts_are_enough(shop: Shop, host: ContainerHost) -> None:
    shutil.copy(host.private_key, shop.folder / ".ssh" / "id_ed25519")
    create(shop, host)
    assert shop.inspect("box")["ssh_host_key"] == host.host_key
    assert shop.mctl("ssh", "box", "id", "-un") == (0, "root\n", "")


def test_a_key_that_is_named_relative_to_this_folder_works_from_every_other(shop: Shop, host: ContainerHost) -> None:
    shutil.copy(host.private_key, shop.folder / "key")
    create(shop, host, "--generic-ssh-key", "./key")
    assert f"ssh_key: {shop.folder}/key" in (shop.home / "Pulumi.box.yaml").read_text()


def test_an_agents_key_logs_in_and_no_key_is_kept(shop: Shop, host: ContainerHost) -> None:
    socket = shop.folder / "agent"
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert agent.poll() is None
        shop.variables["SSH_AUTH_SOCK"] = str(socket)
        subprocess.run(["ssh-add", "-q", str(host.private_key)], env=shop.variables, check=True)
        create(shop, host, "--generic-ssh-user", "deploy")
        assert not (shop.home / "machines" / "box" / "id_ed25519").exists()
        assert shop.mctl("ssh", "box", "id", "-un") == (0, "deploy\n", "")
        assert shop.mctl("rm", "-y", "box").code == 0
    finally:
        agent.kill()
        agent.wait()


def test_another_engine_port_is_the_daemons(shop: Shop, host: ContainerHost) -> None:
    create(shop, host, "--generic-ssh-key", str(host.private_key), "--generic-engine-port", "2377")
    assert shop.mctl("url", "box").out == f"tcp://{host.address}:2377\n"
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}")
