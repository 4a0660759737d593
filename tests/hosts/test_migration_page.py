"""The migration page, followed to the letter from a store of docker-machine."""

from __future__ import annotations

import pytest

from tests.container_hosts import ContainerHost
from tests.docker_machine_store import DockerMachineStore
from tests.hosts.pages import follow
from tests.hosts.shop import Shop


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    """Someone with docker-machine's store and a passphrase file."""
    shop = Shop(tmp_path_factory.mktemp("migration"))
    store = DockerMachineStore(shop.folder / "store")
    store.add("web-1", host.address, host.private_key)
    store.provision(host, "web-1")
    shop.variables["MACHINE_STORAGE_PATH"] = str(store.folder)
    (shop.folder / "passphrase").write_text("for tests only\n")
    return shop


def test_every_command_of_the_page_works_in_its_order_and_prints_what_it_shows(shop: Shop) -> None:
    assert follow("from-docker-machine.md", shop) >= 8


def test_what_the_page_promises_of_the_file_holds(shop: Shop) -> None:
    other = Shop(shop.folder / "other")
    other.folder.mkdir()
    ran = other.mctl("import", "../web-1.mctl", "--passphrase-file", "../passphrase")
    assert (ran.code, ran.out) == (0, 'Imported stack "web-1".\n'), ran.err
    assert other.docker("--context", "web-1", "version", "--format", "{{.Server.Version}}")
