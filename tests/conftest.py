"""Tests run in two processes at once: a file's tests share machines, so they stay together and in their order."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)  # xdist reads the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        alone = "clouds" in item.path.parts  # each opens a cloud of its own
        item.add_marker(pytest.mark.xdist_group(item.nodeid if alone else str(item.path)))
