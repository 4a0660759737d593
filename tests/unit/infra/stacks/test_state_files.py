"""Where stack state is, and what becomes of files of it that were cut off."""

import json
import shutil
from pathlib import Path

import pytest

from infra.errors import PreCreateError
from infra.stacks import state_files
from tests.cli_runner import mctl_home

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")


@pytest.mark.parametrize(
    ("variable", "declared", "url", "file"),
    [
        ("", "", "file://{home}/state", "{home}/state/.pulumi/stacks/mctl/prod.json"),
        ("", "file:///srv/a%20b", "file:///srv/a%20b", "/srv/a b/.pulumi/stacks/mctl/prod.json"),
        ("", "file://./here", "file://./here", "{project}/here/.pulumi/stacks/mctl/prod.json"),
        ("s3://bucket", "file:///srv", "s3://bucket", ""),
    ],
)
def test_the_state_is_where_the_environment_or_the_project_says_else_at_home(
    variable: str, declared: str, url: str, file: str, tmp_path: Path, mctl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = f"backend: {{url: '{declared}'}}\n" if declared else ""
    (tmp_path / "Pulumi.yaml").write_text(f"name: mctl\nruntime: python\n{backend}")
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    if variable:
        monkeypatch.setenv("PULUMI_BACKEND_URL", variable)
    assert state_files.backend(tmp_path) == url.format(home=mctl_home)
    assert state_files.path(tmp_path, "prod") == file.format(home=mctl_home, project=tmp_path)


@pytest.fixture
def state(mctl_home: Path) -> Path:
    """Give the file of stack web-1, in a folder that is there."""
    file = Path(state_files.path(mctl_home, "web-1"))
    file.parent.mkdir(parents=True)
    return file


def test_what_a_killed_engine_left_half_written_goes_and_nothing_else(mctl_home: Path, state: Path) -> None:
    others = ["web-1.json", "web-1.json.bak", "web-1.json.json.18eb.tmp", "web-10.json.18eb.tmp"]
    for name in [*others, "web-1.json.18eb2568e9fc3dcc.tmp", "web-1.json.bak.18eb2568e9fc3dcc.tmp"]:
        (state.parent / name).touch()
    locks = state.parents[2] / "locks" / "organization" / "mctl"
    for name in ("web-1/a.json", "web-1/b.json.18eb.tmp", "web-10/c.json.18eb.tmp"):
        (locks / name).parent.mkdir(parents=True, exist_ok=True)
        (locks / name).touch()
    state_files.sweep(mctl_home, "web-1")
    assert sorted(file.name for file in state.parent.iterdir()) == sorted(others)
    left = sorted(str(file.relative_to(locks)) for file in locks.rglob("*") if file.is_file())
    assert left == ["web-1/a.json", "web-10/c.json.18eb.tmp"]


@pytest.mark.parametrize("cut_off", ["", '{"version": 3, "chec'])
def test_state_that_was_cut_off_comes_back_from_its_backup(mctl_home: Path, state: Path, cut_off: str) -> None:
    state.write_text(cut_off)
    state.with_name("web-1.json.bak").write_text('{"version": 3}')
    state_files.mend(mctl_home, "web-1")
    assert json.loads(state.read_text()) == {"version": 3}


def test_notes_on_files_that_were_cut_off_go_and_whole_ones_stay(mctl_home: Path, state: Path) -> None:
    lock = state.parents[2] / "locks" / "organization" / "mctl" / "web-1" / "a.json"
    lock.parent.mkdir(parents=True)
    for file in (state, lock):
        file.write_text('{"version": 3}')
    store = state.parents[2] / "meta.yaml"
    cut_off = [state.with_name("web-1.json.attrs"), lock.with_name("a.json.attrs"), store, Path(f"{store}.attrs")]
    whole = state.with_name("web-1.json.bak.attrs")
    for file in cut_off:
        file.touch()
    whole.write_text('{"md5": "x"}')
    state_files.mend(mctl_home, "web-1")
    assert [file.exists() for file in (*cut_off, whole, state, lock)] == [False] * 4 + [True] * 3


def test_where_the_backup_was_cut_off_too_the_newest_older_one_is_taken(mctl_home: Path, state: Path) -> None:
    backups = state.parents[2] / "backups" / "mctl" / "web-1"
    backups.mkdir(parents=True)
    for file, text in {
        state: "",
        state.with_name("web-1.json.bak"): "{",
        backups / "web-1.1795571912000000001.json": '{"version": 1}',
        backups / "web-1.1795571912000000002.json": '{"version": 2}',
        backups / "web-1.1795571912000000003.json": "{",
    }.items():
        file.write_text(text)
    state_files.mend(mctl_home, "web-1")
    assert json.loads(state.read_text()) == {"version": 2}


@pytest.mark.parametrize(("now", "backup"), [('{"version": 3}', '{"version": 2}'), ("", ""), ("", "{")])
def test_whole_state_and_state_without_a_whole_backup_stay(mctl_home: Path, state: Path, now: str, backup: str) -> None:
    state.write_text(now)
    state.with_name("web-1.json.bak").write_text(backup)
    state_files.mend(mctl_home, "web-1")
    assert state.read_text() == now


def test_a_disk_that_is_nearly_full_is_refused_before_anything_is_written(
    mctl_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.disk_usage(mctl_home.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: real._replace(free=state_files.FREE_BYTES - 1))
    with pytest.raises(PreCreateError) as error:
        state_files.require_space(mctl_home)
    assert error.value.message == f"{mctl_home} has less than 16 MiB free, and the stack state is kept there"


def test_there_is_room(mctl_home: Path) -> None:
    state_files.require_space(mctl_home / "not" / "there" / "yet")
    assert not (mctl_home / "not").exists()
