"""What the contract does to a cloud behind mctl's back, and asks of it: a stand-in, or a real account.

`MCTL_CLOUD_TESTS=aws,digitalocean` has the contract run on real accounts too. They are reached as mctl reaches them, by
the vendor's own credentials and the driver's environment variables, and cost money.
"""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from infra.components import drivers
from infra.components.drivers import Orphan
from infra.components.ownership import OWNER
from infra.stacks.owner import FILE, LENGTH
from tests.clouds import instances
from tests.clouds.cloud import Cloud
from tests.clouds.world import Facts, World
from tests.hosts.shop import Shop

VARIABLE = "MCTL_CLOUD_TESTS"
SSH, DIAL_SECONDS = 22, 5


class Side(Protocol):
    """One cloud with one machine. instance: its id. lose: deletes the instance and nothing else."""

    @property
    def instance(self) -> str: ...
    def is_off(self, address: str) -> bool: ...
    def shows(self, facts: Mapping[str, Any]) -> bool: ...
    def moved(self, before: str, after: str) -> bool: ...
    def lose(self) -> None: ...
    def left(self) -> list[str]: ...


class StandInSide:
    """Look into the world."""

    def __init__(self, cloud: Cloud, world: World) -> None:
        self._cloud, self._world = cloud, world

    @property
    def instance(self) -> str:
        return str(self._the()["id"])

    def is_off(self, address: str) -> bool:
        del address
        return not instances.runs(self._world, self.instance)

    def shows(self, facts: Mapping[str, Any]) -> bool:
        return facts.items() <= self._the().items()

    def moved(self, before: str, after: str) -> bool:
        return (before != after) is self._cloud.moves

    def lose(self) -> None:
        lost = self.instance
        instances.remove(self._world, lost)
        self._world.drop(self._cloud.instances, lost)

    def left(self) -> list[str]:
        return self._world.left()

    def _the(self) -> Facts:
        (found,) = self._world.every(self._cloud.instances)
        return found


class Account:
    """Ask a provider by its driver's own means. owner: whose tags are looked for."""

    def __init__(self, provider: str, shop: Shop, owner: str) -> None:
        self._driver, self._shop, self._owner = drivers.load(provider), shop, owner

    @property
    def instance(self) -> str:
        (name,) = _names(self._shop)
        return str(self._shop.inspect(name)["instance_id"])

    def is_off(self, address: str) -> bool:
        with suppress(OSError), socket.create_connection((address, SSH), DIAL_SECONDS):
            return False
        return True

    def shows(self, facts: Mapping[str, Any]) -> bool:
        """Have the provider looked at anew: nothing is to be changed where it shows what is declared."""
        del facts
        return self._shop.mctl("refresh", "web").code == 0 and self._shop.mctl("preview", "web").out == "no changes\n"

    def moved(self, before: str, after: str) -> bool:
        """Take both: who keeps an address and who does not is the provider's affair, and Docker is asked next."""
        return bool(before and after)

    def lose(self) -> None:
        self._ours()[0].delete()  # an instance, as what it uses can't be deleted before it

    def left(self) -> list[str]:
        return [f"{orphan.kind}/{orphan.id}" for orphan in self._ours()]

    def clean(self) -> None:
        """Delete all that bears the owner's tag, and nothing else."""
        for orphan in self._ours():
            orphan.delete()

    def _ours(self) -> list[Orphan]:
        assert self._driver.orphans, f"nothing at {self._driver.name} could be told from what is others'"
        args = drivers.read_args(self._driver, "", drivers.from_environment(self._driver))
        return list(self._driver.orphans(args, {OWNER: self._owner}))


@contextmanager
def real_account(provider: str, folder: Path) -> Iterator[tuple[Account, Shop]]:
    """Open a real account, where the tests of this user and computer have left nothing, and will leave nothing."""
    shop = Shop(folder)
    owner = sha256(f"mctl-tests {getpass.getuser()}@{socket.gethostname()}".encode()).hexdigest()[:LENGTH]
    file = shop.home / "state" / FILE
    file.parent.mkdir(mode=0o700, parents=True)
    file.write_text(owner)
    account = Account(provider, shop, owner)
    account.clean()
    try:
        yield account, shop
    finally:
        for name in _names(shop):
            shop.mctl("rm", "-y", name)
        account.clean()


def _names(shop: Shop) -> list[str]:
    return shop.mctl("ls", "-q").out.split()


def real() -> list[str]:
    """List the providers whose real accounts are to be used."""
    return [provider for provider in os.environ.get(VARIABLE, "").split(",") if provider]
