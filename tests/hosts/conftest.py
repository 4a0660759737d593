"""Real machines for tests. A computer that can't run them skips, and says why."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.container_daemon import NoContainers
from tests.container_hosts import ContainerHost, ContainerHosts, container_hosts


@pytest.fixture(scope="session")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerHosts]:
    try:
        with container_hosts(tmp_path_factory.mktemp("hosts")) as maker:
            yield maker
    except NoContainers as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def host(hosts: ContainerHosts) -> Iterator[ContainerHost]:
    """One host with Docker installed, for all tests of a file."""
    host = hosts.start(docker_installed=True)
    yield host
    hosts.remove(host)


@pytest.fixture
def bare_host(hosts: ContainerHosts) -> Iterator[ContainerHost]:
    """A host of the test's own, without Docker."""
    host = hosts.start()
    yield host
    hosts.remove(host)
