"""The migration page, followed to the letter from a store of docker-machine."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.container_hosts import ContainerHost
from tests.docker_machine_store import DockerMachineStore
from tests.hosts.shop import REPOSITORY, Shop

PAGE = REPOSITORY / "docs" / "from-docker-machine.md"
CHANGING = re.compile(r"\d+\.\d+\.\d+\.\d+|\d{4}-\d\d-\d\d| +")  # addresses, dates, and what lines columns up


def blocks() -> list[tuple[str, str]]:
    """Give each command of the page and the output that it shows."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL):
        for step in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, shown = step.partition("\n")
            found.append((command, shown))
    return found


def same(text: str) -> str:
    return CHANGING.sub("~", text)


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
    steps = blocks()
    assert len(steps) >= 8
    for command, shown in steps:
        done = subprocess.run(
            command, shell=True, cwd=shop.folder, env=shop.with_programs(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        if shown:
            assert same(done.stdout) == same(shown), command


def test_what_the_page_promises_of_the_file_holds(shop: Shop) -> None:
    other = Shop(shop.folder / "other")
    other.folder.mkdir()
    ran = other.mctl("import", "../web-1.mctl", "--passphrase-file", "../passphrase")
    assert (ran.code, ran.out) == (0, 'Imported stack "web-1".\n'), ran.err
    assert other.docker("--context", "web-1", "version", "--format", "{{.Server.Version}}")
