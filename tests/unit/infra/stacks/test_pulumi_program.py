"""Where the `pulumi` program comes from: real processes, with shell scripts for pulumi and go."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from infra.errors import PreCreateError
from infra.stacks import downloads, go_build, pulumi_program

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")

GO = """#!/bin/sh
[ "$1" = build ] || exit 0
while [ "$1" != -o ]; do shift; done
[ -f go.mod ] && [ -f go.sum ] || exit 9
echo 'go: downloading example.com/x v1.0.0' >&2
printf '#!/bin/sh\\necho v3.259.0\\n' > "$2"
/bin/chmod +x "$2"
"""


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Begin with nothing on PATH, empty folders, and a download site that refuses."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MCTL_OFFLINE", raising=False)
    monkeypatch.setattr(downloads, "SITE", "http://127.0.0.1:1/install.sh")
    return tmp_path


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def pulumi(folder: Path, version: str) -> Path:
    return script(folder / "pulumi", f'#!/bin/sh\necho run >> "{folder}/runs"\necho {version}\n')


def no_install(_root: Path) -> None:
    raise AssertionError("nothing may be installed")


def say_nothing(_line: str) -> None:
    pass


def test_pulumi_on_path_is_taken(bare: Path) -> None:
    path = pulumi(bare / "bin", "v3.217.0")
    assert pulumi_program.find_pulumi(say_nothing, no_install) == pulumi_program.Program(path, "3.217.0", "PATH")


@pytest.mark.parametrize("version", ["v3.216.9", "v2.300.0", "v4.0.0", "unknown"])
def test_unfit_pulumi_is_passed_over_for_the_next_on_path(
    bare: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    pulumi(bare / "bin", version)
    fit = pulumi(bare / "other", "v3.260.1")
    monkeypatch.setenv("PATH", os.pathsep.join([str(bare / "bin"), str(bare / "other")]))
    assert pulumi_program.find_pulumi(say_nothing, no_install).path == fit


def test_version_is_asked_once_and_again_after_an_upgrade(bare: Path) -> None:
    path = pulumi(bare / "bin", "v3.217.0")
    for _ in range(3):
        pulumi_program.look()
    assert (path.parent / "runs").read_text() == "run\n"
    pulumi(bare / "bin", "v3.300.10")
    assert pulumi_program.look().version == "3.300.10"


def test_broken_note_of_versions_costs_a_run_and_no_more(bare: Path) -> None:
    pulumi(bare / "bin", "v3.217.0")
    pulumi_program.look()
    (bare / "cache" / "pulumi-version.json").write_text("{")
    assert pulumi_program.look().version == "3.217.0"


def test_official_install_is_used_where_the_site_answers_and_kept(bare: Path, site: None) -> None:
    lines: list[str] = []
    script(bare / "bin" / "go", GO)
    found = pulumi_program.find_pulumi(lines.append, lambda root: pulumi(root / "bin", "v3.272.0"))
    assert (found.origin, found.version) == ("installed", "3.272.0")
    assert lines == ["Installing the Pulumi engine: once"]
    assert pulumi_program.find_pulumi(say_nothing, no_install) == found
    assert pulumi_program.look() == found


def test_failed_install_falls_back_to_go(bare: Path, site: None) -> None:
    def fail(_root: Path) -> None:
        raise RuntimeError("no space")

    script(bare / "bin" / "go", GO)
    assert pulumi_program.find_pulumi(say_nothing, fail).origin == "built"


def test_go_build_is_used_where_the_site_is_silent_and_kept(bare: Path) -> None:
    script(bare / "bin" / "go", GO)
    found = pulumi_program.find_pulumi(say_nothing, no_install)
    assert (found.origin, found.version) == ("built", "3.259.0")
    (bare / "bin" / "go").unlink()
    assert pulumi_program.find_pulumi(say_nothing, no_install) == found
    assert [path.name for path in found.path.parent.iterdir()] == ["pulumi"]


def test_two_builds_at_once_are_one(bare: Path) -> None:
    script(bare / "bin" / "go", GO.replace("printf", f'echo built >> "{bare}/builds"\n/bin/sleep 0.3\nprintf'))
    found = []
    runs = [
        threading.Thread(target=lambda: found.append(pulumi_program.find_pulumi(say_nothing, no_install)))
        for _ in range(2)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(set(found)) == 1
    assert (bare / "builds").read_text() == "built\n"


def test_failed_build_says_what_go_said_and_leaves_nothing(bare: Path) -> None:
    script(bare / "bin" / "go", "#!/bin/sh\necho 'go: go.mod requires go >= 1.25.11' >&2\nexit 1\n")
    with pytest.raises(PreCreateError, match=r"Go build: failed: go: go\.mod requires go >= 1\.25"):
        pulumi_program.find_pulumi(say_nothing, no_install)
    assert not list((bare / "cache").rglob("pulumi-3*/bin/*"))


def test_build_that_takes_too_long_is_ended(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(go_build, "LIMIT", 0.2)
    script(bare / "bin" / "go", "#!/bin/sh\nexec /bin/sleep 30\n")
    begun = time.monotonic()
    with pytest.raises(PreCreateError, match="Go build: failed"):
        pulumi_program.find_pulumi(say_nothing, no_install)
    assert time.monotonic() - begun < 10


def test_error_lists_every_source_and_how_to_mend_it(bare: Path) -> None:
    pulumi(bare / "bin", "v3.100.0")
    with pytest.raises(PreCreateError) as caught:
        pulumi_program.find_pulumi(say_nothing, no_install)
    for part in ("3.100.0, and 3.217 or newer", "get.pulumi.com can't be reached", "no go on PATH"):
        assert part in caught.value.message
    assert caught.value.mend is not None
    assert "https://www.pulumi.com/docs/install/" in caught.value.mend
    assert f"Go {go_build.go_needed()} or newer" in caught.value.mend


def test_offline_neither_asks_the_site_nor_builds(bare: Path, site: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_OFFLINE", "1")
    script(bare / "bin" / "go", GO)
    with pytest.raises(PreCreateError, match="MCTL_OFFLINE is set"):
        pulumi_program.find_pulumi(say_nothing, no_install)


def test_module_pins_the_version_that_is_built() -> None:
    module = Path(go_build.__file__).with_name("go") / "go.mod"
    assert f"github.com/pulumi/pulumi/pkg/v3 v{go_build.VERSION}" in module.read_text()
