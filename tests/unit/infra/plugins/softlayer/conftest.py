"""IBM Cloud Classic's API as the stand-in has it, whose guests are names in a dict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.plugins.softlayer import api as softlayer
from tests.clouds import api, instances
from tests.clouds.softlayer import CLOUD
from tests.clouds.world import World


@pytest.fixture
def power(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """Which guests are on, by id."""
    on: dict[str, bool] = {}

    def start(_world: World, id: str, **_: object) -> str:  # noqa: A002
        on[id] = True
        return "192.0.2.1"

    def stop(_world: World, id: str, *, hard: bool = False) -> None:  # noqa: A002
        on[id] = not hard and on.get("ignores shutdown", False)

    def resume(_world: World, id: str) -> str:  # noqa: A002
        on[id] = True
        return "192.0.2.2"

    monkeypatch.setattr(instances, "start", start)
    monkeypatch.setattr(instances, "stop", stop)
    monkeypatch.setattr(instances, "resume", resume)
    monkeypatch.setattr(instances, "runs", lambda _world, id: on.get(id, False))  # noqa: A006
    monkeypatch.setattr(instances, "remove", lambda _world, id: on.pop(id, None))  # noqa: A006
    return on


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, power: dict[str, bool]) -> Iterator[World]:
    """An account with nothing in it, and credentials for it."""
    del power
    monkeypatch.setattr(softlayer, "POLL_SECONDS", 0.01)
    monkeypatch.delenv("MCTL_HARD_STOP", raising=False)
    world = World(tmp_path / "world")
    with CLOUD.serve(world) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.folder / api.CA))
        monkeypatch.setenv("HOME", str(tmp_path))
        yield world
