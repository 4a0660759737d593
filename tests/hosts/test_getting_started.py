"""The page of the first machine, followed to the letter; a container host takes the place of the VM."""

from __future__ import annotations

from pathlib import Path

from infra.stacks import downloads
from tests.container_hosts import ContainerHost
from tests.hosts.pages import follow
from tests.hosts.shop import Shop


def test_every_command_of_the_page_works_in_its_order_and_prints_what_it_shows(
    tmp_path: Path, host: ContainerHost
) -> None:
    shop = Shop(tmp_path)
    (tmp_path / ".ssh").mkdir(mode=0o700)
    (tmp_path / ".ssh" / "known_hosts").write_text(f"{host.address} {host.host_key}\n")
    shop.variables |= {
        "HOME": str(tmp_path),
        "MCTL_CACHE_DIR": str(downloads.cache()),
        "MCTL_PROVIDER": "generic",
        "GENERIC_IP_ADDRESS": host.address,
        "GENERIC_SSH_KEY": str(host.private_key),
    }
    assert follow("getting-started.md", shop) >= 15
    assert shop.left() == []
