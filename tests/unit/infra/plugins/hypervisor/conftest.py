"""A home and a cache of this test's own."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "home"
