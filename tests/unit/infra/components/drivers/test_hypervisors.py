"""The hypervisors of this computer: docker-machine's sizes, and what is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from infra.components import drivers
from infra.components.drivers import hyperv, virtualbox, vmwarefusion
from infra.components.drivers.hypervisor import shares
from infra.errors import PreCreateError, UsageError
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


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (("src",), "--virtualbox-share-folder 'src' is not FOLDER:NAME"),
        (("/src:",), "--virtualbox-share-folder '/src:' is not FOLDER:NAME"),
        (("/a:src", "/b:src"), "--virtualbox-share-folder '/b:src' names src a second time"),
    ],
)
def test_a_share_that_is_none_is_refused(texts: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError) as error:
        shares("virtualbox", "web", texts)
    assert error.value.message == message


def test_a_share_is_the_folder_before_the_last_colon_made_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert shares("virtualbox", "web", ("a:b:src",)) == {"src": f"{tmp_path}/a:b"}


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="qemu-img is not installed")
def test_a_share_is_kept_with_its_absolute_path_and_must_be_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "VBoxManage").write_text("#!/bin/sh\n")
    (tmp_path / "VBoxManage").chmod(0o755)
    (tmp_path / "src").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    driver, spec = drivers.load("virtualbox"), MachineSpec(name="web", provider="virtualbox")
    checked = driver.check(spec, driver.args(share_folder=("src:code",)))
    assert checked.options == {"share_folder": [f"{tmp_path}/src:code"]}
    with pytest.raises(PreCreateError) as error:
        driver.check(spec, driver.args(share_folder=("lost:code",)))
    assert error.value.message == f"{tmp_path}/lost is no folder of this computer"
    assert error.value.mend == "share one that is: --virtualbox-share-folder FOLDER:NAME"


def test_doctor_looks_for_the_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    account = drivers.load("virtualbox").account
    assert account
    assert [(finding.name, finding.ok) for finding in account(None)] == [("VBoxManage", False), ("qemu-img", False)]
