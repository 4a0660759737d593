"""What PowerShell is asked, and what its answer means."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from infra.plugins.hypervisor import hyperv
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError

RECORD = VmRecord("urn", "hyperv", {}, "", whole=True)


def powershell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int = 0) -> Path:
    """Put a PowerShell on PATH that gives one answer; give where it notes its scripts."""
    program, scripts = tmp_path / "bin" / "powershell", tmp_path / "scripts"
    program.parent.mkdir()
    (tmp_path / "answer").write_text(answer)
    stream = 2 if code else 1
    program.write_text(f'#!/bin/sh\necho "$4" >>{scripts}\ncat {tmp_path}/answer >&{stream}\nexit {code}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
    return scripts


def facts(folder: VmFolder, **changes: Any) -> str:
    known = {"state": "Running", "path": f"{folder.path}/x", "addresses": ["fe80::1", "172.20.1.5", None]}
    return json.dumps(known | changes)


@pytest.fixture
def folder(home: Path) -> VmFolder:
    del home
    return VmFolder("mctl-web-1-vm-0123abcd")


def test_the_address_is_the_first_of_ipv4(folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    powershell(tmp_path, monkeypatch, facts(folder))
    assert asyncio.run(hyperv.look(folder, RECORD)) == ("Running", "172.20.1.5", "172.20.1.5", 22, 2376)


@pytest.mark.parametrize(("word", "state"), [("Paused", "Paused"), ("Saved", "Saved"), ("Off", "Stopped")])
def test_one_that_does_not_run_has_no_address(
    word: str, state: str, folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    powershell(tmp_path, monkeypatch, facts(folder, state=word))
    assert asyncio.run(hyperv.look(folder, RECORD)) == (state, "", "", 22, 2376)


def test_no_answer_means_gone_and_a_refusal_does_not(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    powershell(tmp_path, monkeypatch, "")
    assert asyncio.run(hyperv.look(folder, RECORD)) is None
    (tmp_path / "again").mkdir()
    powershell(tmp_path / "again", monkeypatch, "You do not have the required permission", code=1)
    with pytest.raises(PluginError, match=r"required permission\. It needs an administrator"):
        asyncio.run(hyperv.look(folder, RECORD))


def test_a_vm_of_the_same_name_elsewhere_is_left_alone(
    folder: VmFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = powershell(tmp_path, monkeypatch, facts(folder, path="/VMs/x"))
    with pytest.raises(PluginError, match="in /VMs/x, which is not ours"):
        asyncio.run(hyperv.delete(folder))
    assert "Remove-VM" not in scripts.read_text()


def test_quotes_in_a_path_stay_in_it() -> None:
    assert hyperv._quoted("C:\\it's here") == "'C:\\it''s here'"
