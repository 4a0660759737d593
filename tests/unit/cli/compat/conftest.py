"""The program under the name docker-machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Protocol

import pytest

from tests.cli_runner import PROGRAM, Ran, mctl, mctl_home

__all__ = ["mctl", "mctl_home"]
FOREIGN = ("MACHINE_STORAGE_PATH", "MACHINE_DEBUG", "MACHINE_NATIVE_SSH", "ENGINE_REGISTRY_MIRROR")


class DockerMachine(Protocol):
    """Run docker-machine with arguments."""

    def __call__(self, *arguments: str, answer: str = "") -> Ran: ...


@pytest.fixture
def docker_machine(mctl_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DockerMachine:
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    program = tmp_path / "docker-machine"
    program.symlink_to(PROGRAM)

    def run(*arguments: str, answer: str = "") -> Ran:
        done = subprocess.run(
            [program, *arguments], input=answer, capture_output=True, text=True, check=False, env=os.environ
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return run
