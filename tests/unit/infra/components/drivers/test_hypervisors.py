"""The hypervisors of this computer: docker-machine's sizes, and what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infra.components import drivers
from infra.components.drivers import hyperv, virtualbox, vmwarefusion
from infra.errors import PreCreateError
from infra.machine import MachineSpec


def test_sizes_are_docker_machines_and_minus_one_processor_is_all() -> None:
    size = {"cpus": min(os.cpu_count() or 1, 32), "memory": 3000, "disk": 21}
    assert virtualbox.inputs(virtualbox.VirtualBoxArgs(cpu_count=-1, memory=3000, disk_size=20481)) == size
    assert vmwarefusion.inputs(vmwarefusion.FusionArgs(cpu_count=-1, memory_size=3000, disk_size=20481)) == size
    assert hyperv.inputs(hyperv.HyperVArgs(cpu_count=-1, memory=3000, disk_size=20481)) == size | {"network": ""}


@pytest.mark.parametrize(
    ("provider", "message"),
    [
        ("virtualbox", "VBoxManage: not on PATH"),
        ("vmwarefusion", "vmrun: not on PATH"),
        ("hyperv", "powershell: not on PATH"),
    ],
)
def test_without_its_program_nothing_is_made(
    provider: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    driver = drivers.load(provider)
    with pytest.raises(PreCreateError) as error:
        driver.check(MachineSpec(name="web", provider=provider), driver.args())
    assert (error.value.message, bool(error.value.mend)) == (message, True)


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
def test_an_image_that_is_not_there_is_refused_by_the_providers_own_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "VBoxManage").write_text("#!/bin/sh\n")
    (tmp_path / "VBoxManage").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    driver = drivers.load("virtualbox")
    with pytest.raises(PreCreateError) as error:
        driver.check(MachineSpec(name="web", provider="virtualbox"), driver.args(image="/nowhere.qcow2"))
    assert error.value.mend == "name an image file or URL with --virtualbox-image"


def test_doctor_looks_for_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    account = drivers.load("virtualbox").account
    assert account
    assert [(finding.name, finding.ok) for finding in account(None)] == [("VBoxManage", False), ("qemu-img", False)]
