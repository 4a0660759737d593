"""The wheel and the sdist: all that runs, and nothing of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build both, with what is installed."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", folder], cwd=ROOT, check=True)
    return folder


@pytest.fixture(scope="module")
def installed(dist: Path) -> Path:
    """Unpack the wheel where nothing else is."""
    (wheel,) = dist.glob("*.whl")
    folder = dist / "installed"
    with ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


def sources(*packages: str) -> set[str]:
    named = {f"{package}/{name}" for package in packages for name in files(ROOT / package)}
    return {name for name in named if "__pycache__" not in name}


def test_the_wheel_holds_the_two_packages_whole_and_no_tests_or_stand_ins(installed: Path) -> None:
    code = {name for name in files(installed) if not name.startswith("mctl-")}
    assert code == sources("cli", "infra")


def test_the_sdist_holds_all_that_make_needs(dist: Path) -> None:
    (packed,) = dist.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert sources("cli", "infra", "tests", "tools", "docs") <= held
    assert {"Makefile", "Pulumi.yaml", "pyproject.toml", "uv.lock", "README.md", "LICENSE", ".ci/run"} <= held


def test_a_machine_is_made_and_removed_with_the_wheel_alone(
    installed: Path, tmp_path: Path, pulumi_program: Path
) -> None:
    start = "import sys, cli.main; print(cli.main.__file__, file=sys.stderr); sys.exit(cli.main.main())"
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "PATH": os.pathsep.join([str(pulumi_program.parent), os.environ["PATH"]]),
        "MCTL_HOME": str(tmp_path / "home"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
    }

    def mctl(*line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", start, *line], cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    made = mctl("create", "build", "-d", "none", "--url", "tcp://192.0.2.1:2376")
    assert made.stdout == "build stands for tcp://192.0.2.1:2376, which was not asked\n", made.stderr
    assert str(installed) in made.stderr
    assert mctl("url", "build").stdout == "tcp://192.0.2.1:2376\n"
    assert mctl("rm", "-y", "build").returncode == 0
