"""What the upgrade script says of a host before it changes anything there."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.components.engine_scripts.upgrade import upgrade_as_root
from infra.machine import EngineSpec
from tests.unit.infra.components.scratch_host import ScratchHost

DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
OFFERED = {"docker.io": ("26.1.5", "20.10.24", "20.10.9"), "docker-cli": ("26.1.5", "20.10.24")}


@pytest.fixture
def debian(tmp_path: Path) -> ScratchHost:
    """A Debian host with its own Docker, whose lists have newer and older ones."""
    host = ScratchHost(tmp_path / "root", DEBIAN)
    madison = {
        f"'madison {name}'": "".join(f"echo '{name} | {version} | http://deb.example main';" for version in versions)
        for name, versions in OFFERED.items()
    }
    host.program("apt-cache", {"'policy '*": "echo '  Candidate: 26.1.5'", **madison})
    host.program("apt-get", {"*' update'": "true"})
    return host


def has(host: ScratchHost, **versions: str) -> None:
    """Have these installed. versions: by package, `_` for what no name of Python's may have."""
    lines = [f"installed {name.replace('__', '.').replace('_', '-')}={of}" for name, of in versions.items()]
    host.program("dpkg-query", {"*": "".join(f"echo '{line}';" for line in lines)})
    host.write("bin/dockerd", f"#!/bin/sh\necho 'Docker version {versions['docker__io']}, build abc'\n").chmod(0o755)


@pytest.mark.parametrize(
    ("installed", "version", "said"),
    [
        ({"docker__io": "26.1.5", "docker_cli": "26.1.5"}, "", "newer: no\n"),
        ({"docker__io": "20.10.24", "docker_cli": "20.10.24"}, "20.10", "newer: no\n"),
        ({"docker__io": "20.10.24", "docker_cli": "20.10.24"}, "", "newer: perhaps\n"),
        ({"docker__io": "20.10.9", "docker_cli": "20.10.24"}, "20.10", "newer: perhaps\n"),
        ({"docker__io": "26.1.5", "docker_cli": "20.10.24"}, "", "newer: perhaps\n"),
        ({"docker__io": "26.1.5"}, "", "newer: perhaps\n"),
    ],
)
def test_a_look_says_whether_anything_newer_is_there_and_installs_nothing(
    debian: ScratchHost, installed: dict[str, str], version: str, said: str
) -> None:
    has(debian, **installed)
    looked = debian.run(upgrade_as_root(EngineSpec(install="distro", version=version), "box", look=True))
    assert (looked.returncode, looked.stdout) == (0, said), looked.stderr
    assert [call for call in debian.calls("apt-get") if not call.endswith(" update")] == []
    assert not (debian.root / "etc/docker").exists()


def test_what_a_stopped_run_has_left_is_gone_on_with(debian: ScratchHost) -> None:
    has(debian, docker__io="26.1.5", docker_cli="26.1.5")
    debian.write("etc/docker/.mctl-installing", "")
    looked = debian.run(upgrade_as_root(EngineSpec(install="distro"), "box", look=True))
    assert (looked.returncode, looked.stdout) == (0, "newer: perhaps\n"), looked.stderr
    assert debian.calls("apt-get") == []
