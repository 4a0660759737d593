"""What `mctl init` makes, brought up by Pulumi's own program with no mctl command in sight, and read by mctl."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests import language_host
from tests.cli_runner import as_process


def test_pulumi_up_makes_what_it_declares_and_mctl_finds_nothing_to_do(
    pulumi_home: Path, plugin_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    language_host.install(plugin_folder)
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    assert as_process("init", str(tmp_path / "repo"), "--provider", "none").code == 0
    monkeypatch.chdir(tmp_path / "repo")

    def pulumi(*line: str) -> str:
        ran = subprocess.run(["pulumi", "--non-interactive", *line], capture_output=True, text=True)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    pulumi("stack", "init", "dev")
    pulumi("up", "--yes", "--skip-preview")
    try:
        assert as_process("url", "web-1") == (0, "tcp://192.0.2.7:2376\n", "")
        seen = as_process("preview", "dev", "--exit-code")
        assert (seen.code, seen.out) == (0, "no changes\n"), seen.err
    finally:
        pulumi("destroy", "--yes", "--skip-preview")
