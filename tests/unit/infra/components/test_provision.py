"""What the provision script does with a script of the user's."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from infra.components.engine_scripts.provision import provision_as_root
from tests.unit.infra.components.scratch_host import ScratchHost

LOG = "var/log/mctl-provision.log"


@pytest.fixture
def host(tmp_path: Path) -> ScratchHost:
    return ScratchHost(tmp_path / "root", "ID=debian\n")


def run(host: ScratchHost, script: str) -> subprocess.CompletedProcess[str]:
    return host.run(provision_as_root("a.sh", "box"), script)


def test_what_a_script_says_is_progress_and_a_private_log(host: ScratchHost) -> None:
    done = run(host, "echo one; echo; echo two >&2; printf three")
    assert (done.returncode, done.stdout) == (0, "")
    said = ("running a.sh", "a.sh: one", "a.sh: two", "a.sh: three")
    assert done.stderr.splitlines() == [f"mctl-step: {text}" for text in said]
    assert host.read(LOG) == "one\n\ntwo\nthree\n"
    assert (host.root / LOG).stat().st_mode & 0o777 == 0o600
    assert list((host.root / "tmp").iterdir()) == []


def test_a_script_runs_by_the_interpreter_that_it_names(host: ScratchHost) -> None:
    assert "a.sh: aBc" in run(host, "#! sed s/b/B/\nabc\n").stderr


def test_a_failure_is_told_with_the_last_lines_and_where_all_of_it_is(host: ScratchHost) -> None:
    done = run(host, "for n in 1 2 3 4; do echo line $n; done; echo; exit 9")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2:] == [
        "mctl-error: a.sh failed on the host with exit code 9: line 2 | line 3 | line 4",
        f"mctl-mend: mend a.sh and run the same command again; all it said: mctl ssh box sudo cat {host.root}/{LOG}",
    ]
    assert list((host.root / "tmp").iterdir()) == []


def test_a_script_that_fails_without_a_word_is_told_so(host: ScratchHost) -> None:
    assert "a.sh failed on the host with exit code 3: it said nothing\n" in run(host, "exit 3").stderr


def test_marks_in_what_a_script_says_are_not_ours(host: ScratchHost) -> None:
    done = run(host, "echo mctl-error: not one")
    assert done.returncode == 0
    assert "\nmctl-error" not in done.stderr
