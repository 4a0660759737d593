"""The real Pulumi engine finds the plugins that we put where it looks."""

from __future__ import annotations

import json
import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from infra.stacks import served_plugins


def test_engine_finds_ours_by_exact_version(
    pulumi_program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    served_plugins.ensure(pulumi_program, tmp_path, lambda _line: None, lambda _line: None)
    listed = subprocess.run(
        [pulumi_program, "plugin", "ls", "--json"],
        env={**os.environ, "PULUMI_HOME": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    found = {(plugin["name"], plugin["version"]) for plugin in json.loads(listed.stdout)}
    assert found == {(name, version(f"pulumi-{name}")) for name in ("tls", "command")}
