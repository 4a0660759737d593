"""mctl compat: the name docker-machine on PATH."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cli_runner import PROGRAM, Ran, as_process

OURS = Path(PROGRAM).parent


def compat(*arguments: str, path: str = "") -> Ran:
    return as_process("compat", *arguments, variables={"PATH": path or os.environ["PATH"]})


@pytest.fixture
def folder(mctl_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "bin"


def test_the_name_is_written_where_it_is_asked_for_and_removed_again(folder: Path) -> None:
    place = folder / "docker-machine"
    path = f"{folder}:{os.environ['PATH']}"
    assert compat("install", "--dir", str(folder), path=path) == Ran(0, f"{place}\n", "")
    assert place.resolve() == Path(PROGRAM).resolve()
    assert compat("install", "--dir", str(folder), path=path) == Ran(0, f"{place}\n", "")
    assert [entry.name for entry in folder.iterdir()] == ["docker-machine"]
    assert compat("remove", "--dir", str(folder)) == Ran(0, f"removed {place}\n", "")
    assert compat("remove", "--dir", str(folder)) == Ran(0, "docker-machine is not there\n", "")


def test_without_a_folder_it_goes_to_mctls_own_if_that_is_on_path_else_to_the_users(
    folder: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / ".local" / "bin" / "docker-machine"
    assert compat("install", path="/usr/bin:/bin") == Ran(
        0, f"{elsewhere}\n", f"Notice: a shell will not find it: {elsewhere.parent} is not on PATH\n"
    )
    assert elsewhere.is_symlink()
    beside = OURS / "docker-machine"
    try:
        assert compat("install", path=f"{OURS}:/usr/bin") == Ran(0, f"{beside}\n", "")
    finally:
        assert compat("remove", path=f"{OURS}:/usr/bin") == Ran(0, f"removed {beside}\n", "")


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_file_that_is_not_ours_stays_unless_by_force(folder: Path, kind: str) -> None:
    folder.mkdir()
    place = folder / "docker-machine"
    if kind == "file":
        place.write_text("the real one")
    else:
        place.symlink_to("/nowhere/docker-machine-v0.16.2")
    assert compat("install", "--dir", str(folder)) == Ran(
        1,
        "",
        f"Error: {place} is there already, and is not mctl's\n"
        "  hint: choose another folder with --dir, or replace it with --force\n",
    )
    assert compat("remove", "--dir", str(folder)) == Ran(
        1, "", f"Error: {place} is not mctl's, and stays\n  hint: remove it yourself: rm {place}\n"
    )
    assert os.path.lexists(place)
    assert compat("install", "--dir", str(folder), "--force").code == 0
    assert place.resolve() == Path(PROGRAM).resolve()


def test_a_link_to_an_mctl_that_is_no_more_is_replaced(folder: Path) -> None:
    folder.mkdir()
    (folder / "docker-machine").symlink_to("/old/venv/bin/mctl")
    assert compat("install", "--dir", str(folder)).code == 0
    assert (folder / "docker-machine").resolve() == Path(PROGRAM).resolve()


def test_another_docker_machine_before_it_on_path_is_told(folder: Path, tmp_path: Path) -> None:
    first = tmp_path / "first"
    first.mkdir()
    (first / "docker-machine").write_text("#!/bin/sh\n")
    (first / "docker-machine").chmod(0o755)
    ran = compat("install", "--dir", str(folder), path=f"{first}:{folder}:/usr/bin")
    assert ran == Ran(
        0,
        f"{folder}/docker-machine\n",
        f"Notice: a shell will not find it: {first}/docker-machine comes before it on PATH\n",
    )


def test_a_folder_that_cannot_be_written_is_told(folder: Path) -> None:
    folder.write_text("a file")
    assert compat("install", "--dir", str(folder)) == Ran(
        1,
        "",
        f"Error: {folder}/docker-machine can't be written: File exists\n  hint: choose another folder with --dir\n",
    )


def test_installed_under_the_name_it_can_install_itself_again(folder: Path, tmp_path: Path) -> None:
    assert compat("install", "--dir", str(folder)).code == 0
    again = tmp_path / "again"
    ran = as_process("compat", "install", "--dir", str(again))
    assert (ran.code, (again / "docker-machine").resolve()) == (0, Path(PROGRAM).resolve())
