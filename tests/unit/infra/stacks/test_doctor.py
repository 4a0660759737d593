"""What the doctor finds on computers that lack one thing or another."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path

import pytest

from infra.components.drivers import Finding
from infra.stacks import doctor, downloads, served_plugins
from infra.stacks.home import home
from tests.unit.infra.stacks.test_pulumi_program import GO, pulumi, script

TLS = version("pulumi-tls")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Begin with nothing on PATH, empty folders, a passphrase, and a download site that refuses."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PULUMI_CONFIG_PASSPHRASE", "of this test")
    monkeypatch.delenv("MCTL_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "SITE", "http://127.0.0.1:1/install.sh")
    return tmp_path


def findings(provider: str = "generic") -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.examine(provider, {})}


def could_create(provider: str = "generic") -> bool:
    return doctor.could_create(doctor.examine(provider, {}))


def test_computer_with_an_engine_can_create_on_hosts_that_are_there(bare: Path) -> None:
    path = pulumi(bare / "bin", "v3.259.0")
    assert could_create()
    assert findings()["Pulumi engine"].value == f"3.259.0, PATH: {path}"


def test_missing_clients_are_warnings(bare: Path) -> None:
    pulumi(bare / "bin", "v3.259.0")
    for name in ("ssh client", "docker client"):
        assert not findings()[name].ok
        assert findings()[name].mend.startswith("install ")
    assert could_create()


def test_without_engine_site_and_go_nothing_can_be_created(bare: Path) -> None:
    found = findings()["Pulumi engine"]
    assert not found.ok
    assert "install Pulumi (https://www.pulumi.com/docs/install/)" in found.mend
    assert not could_create()


def test_engine_that_create_would_install_or_build_is_good_enough(bare: Path, request: pytest.FixtureRequest) -> None:
    script(bare / "bin" / "go", GO)
    assert "builds it with Go" in findings()["Pulumi engine"].value
    request.getfixturevalue("site")
    assert findings()["Pulumi engine"].value == "none yet: the first create installs it"
    assert could_create()
    assert not list((bare / "cache").rglob("bin/pulumi")), "the doctor makes nothing"


def test_go_that_refuses_the_module_is_no_help(bare: Path) -> None:
    script(bare / "bin" / "go", "#!/bin/sh\necho 'go.mod requires go >= 1.25' >&2\nexit 1\n")
    assert not findings()["Pulumi engine"].ok


def test_offline_counts_no_download(bare: Path, site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    script(bare / "bin" / "go", GO)
    assert not findings()["Pulumi engine"].ok
    assert "mctl's own" in findings()["Plugin tls"].value


def test_plugins_are_named_official_or_ours(bare: Path, site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert findings()["Plugin tls"].value == f"{TLS}, official: the first create downloads it"
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    served_plugins.ensure(bare / "no-pulumi", Path(home("pulumi")), lambda _line: None, lambda _line: None)
    assert findings()["Plugin tls"].value == f"{TLS}, mctl's own"
    script(bare / "bin" / "pulumi-resource-tls", "#!/bin/sh\n")
    assert findings()["Plugin tls"].value == f"{TLS}, official"


def test_home_that_cant_be_written_is_the_one_finding_about_it(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (bare / "file").write_text("")
    monkeypatch.setenv("MCTL_HOME", str(bare / "file" / "home"))
    found = findings()
    assert not found["Home"].ok
    assert found["Home"].mend.startswith("export MCTL_HOME=")
    assert "Passphrase" not in found
    assert not could_create()


def test_unknown_provider_fails_with_the_known_ones(bare: Path) -> None:
    pulumi(bare / "bin", "v3.259.0")
    assert "generic" in findings("gneric")["Provider"].mend
    assert not could_create("gneric")


def test_without_qemu_no_machine_can_be_made_on_this_computer(bare: Path) -> None:
    pulumi(bare / "bin", "v3.259.0")
    found = findings("qemu")
    assert not found["qemu-img"].ok
    assert "qemu" in found["qemu-img"].mend.lower()
    assert "Acceleration" not in found
    assert not found["Image builder"].needed
    assert not could_create("qemu")
