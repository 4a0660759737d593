"""Stand-in clouds for tests, where this computer can have container hosts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.clouds import site
from tests.clouds.cloud import Cloud
from tests.container_daemon import NoContainers

Open = Callable[[Cloud], site.Site]


@pytest.fixture(scope="session")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A network for instances of all clouds; gives the worlds' folder."""
    try:
        with site.network():
            yield tmp_path_factory.mktemp("clouds")
    except NoContainers as reason:
        pytest.skip(str(reason))


@pytest.fixture
def open_cloud(worlds: Path, tmp_path: Path) -> Iterator[Open]:
    """Open a cloud, and a shop whose mctl finds its plugins and its API."""
    with ExitStack() as stack:
        yield lambda cloud: stack.enter_context(site.opened(cloud, worlds, tmp_path))
