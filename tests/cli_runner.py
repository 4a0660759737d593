"""Run mctl as a user does, as a process, and in this process; either way the whole of what it said comes back."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from cli import main

PROGRAM = str(Path(sys.executable).with_name("mctl"))
# What a developer's own shell would bring into a test.
FOREIGN = (
    *("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"),
    *("MCTL_DEBUG", "MCTL_PROVIDER", "MACHINE_DRIVER", "NO_COLOR", "NO_PROXY", "no_proxy", "FORCE_COLOR"),
)


class Ran(NamedTuple):
    """What one run gave."""

    code: int
    out: str
    err: str


class Run(Protocol):
    """Run mctl with arguments."""

    def __call__(self, *arguments: str) -> Ran: ...


def as_process(*arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
    """Run the installed program, with no terminal."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def in_process(*arguments: str) -> Ran:
    """Run the same in this process, where a test can see inside."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main.run(arguments)
    return Ran(code, out.getvalue(), err.getvalue())


@pytest.fixture
def mctl_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a fresh home, an empty current folder, and an environment that is the same everywhere."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    for name in FOREIGN:
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "MCTL_HOME": str(tmp_path / "home"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "SHELL": "/bin/bash",
        "COLUMNS": "80",
        "TERM": "dumb",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture(params=[as_process, in_process])
def mctl(request: pytest.FixtureRequest, mctl_home: Path) -> Run:
    """Run mctl both ways."""
    run: Run = request.param
    return run
