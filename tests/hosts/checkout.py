"""A repository's checkout in a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.cli_runner import Ran
from tests.forges import Forge
from tests.hosts.shop import Shop

PROJECT = "name: mctl\nruntime: python\nbackend:\n  url: file://{}\n"


class Checkout:
    """A project in a folder below a shop's, at a forge, whose stack state is in a backend that all its jobs share."""

    def __init__(self, shop: Shop, forge: Forge) -> None:
        self.forge, self.shop = forge, shop
        self.folder = shop.folder / "checkout"
        self.folder.mkdir(parents=True)
        state = shop.folder / "shared-state"
        state.mkdir()
        (self.folder / "Pulumi.yaml").write_text(PROJECT.format(state))
        shop.folder = self.folder

    def make(self, stack: str, machine: str, *how: str) -> None:
        how = how or ("-d", "none", "--url", "tcp://192.0.2.1:2376")
        made = self.shop.mctl("create", machine, "--stack", stack, *how)
        assert made.code == 0, made.err

    def file(self, stack: str) -> Path:
        return self.folder / f"Pulumi.{stack}.yaml"

    def change(self, stack: str, before: str, after: str) -> None:
        text = self.file(stack).read_text()
        assert before in text
        self.file(stack).write_text(text.replace(before, after))

    def ci(
        self,
        what: str,
        request: int | None = None,
        *,
        fork: bool = False,
        variables: Mapping[str, str] | None = None,
    ) -> Ran:
        job = self.forge.job(self.folder, request, fork=fork)
        return self.shop.mctl("ci", what, variables={**job, **(variables or {})})
