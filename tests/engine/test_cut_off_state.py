"""State that a killed engine left half written, read by the real engine: the next run mends it."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from infra.stacks import project
from infra.stacks.progress import Progress
from infra.stacks.store import Stack


def say_nothing(_step: Progress) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path, pulumi_program: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with the empty stack `s`, and a lock that a dead engine left."""
    for name in ("PULUMI_BACKEND_URL", "PULUMI_CONFIG_PASSPHRASE_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of this test")
    monkeypatch.chdir(tmp_path)
    found = project.find_project()
    Stack(found, "s", say_nothing, make=True).up("mctl up s")
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    lock = found / "state" / ".pulumi" / "locks" / "organization" / "mctl" / "s" / "a.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    says = {"pid": pid, "username": "ann", "hostname": socket.gethostname(), "timestamp": "2026-11-25T03:01:05Z"}
    lock.write_text(json.dumps(says))
    return found


@pytest.mark.parametrize(
    "cut_off",
    [
        ["stacks/mctl/s.json"],
        ["stacks/mctl/s.json", "stacks/mctl/s.json.bak"],
        ["stacks/mctl/s.json.attrs"],
        ["locks/organization/mctl/s/a.json"],
        ["locks/organization/mctl/s/a.json.attrs"],
        ["meta.yaml"],
        ["meta.yaml.attrs"],
    ],
    ids=" ".join,
)
def test_the_next_run_goes_on(folder: Path, cut_off: list[str]) -> None:
    for name in cut_off:
        (folder / "state" / ".pulumi" / name).write_bytes(b"")
    opened = Stack(folder, "s", say_nothing)
    opened.up("mctl up s")
    opened.destroy()
    opened.delete()
    left = [file for file in (folder / "state" / ".pulumi").rglob("*") if file.is_file() and "meta" not in file.name]
    assert left == []
