"""Real machines for tests. A computer that can't run them skips, and says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container_daemon import NoContainers
from tests.container_hosts import ContainerHosts, container_hosts


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerHosts]:
    try:
        with container_hosts(tmp_path_factory.mktemp("hosts")) as maker:
            yield maker
    except NoContainers as reason:
        pytest.skip(str(reason))
