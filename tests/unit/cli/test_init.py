"""`mctl init`: a repository whose declaration can be made, and no file of anyone's overwritten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from cli import app
from infra.components import drivers, refusals
from infra.machine import MACHINES, MachineSpec
from infra.stacks import project, touched
from tests.cli_runner import Ran, Run, in_process

FILES = ("Pulumi.yaml", "__main__.py", "Pulumi.dev.yaml", ".gitignore", ".github/workflows/machines.yml")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(folder: Path) -> dict[str, str]:
    found = [file for file in folder.rglob("*") if file.is_file()]
    return {file.relative_to(folder).as_posix(): file.read_text() for file in found}


def declared(folder: Path) -> Any:
    return YAML(typ="safe").load(folder / "Pulumi.dev.yaml")["config"][MACHINES]


def test_a_folder_that_is_not_there_is_made_and_its_project_is_ours(mctl: Run, here: Path) -> None:
    assert mctl("init", "a/machines") == Ran(
        0,
        "".join(f"a/machines/{file}\n" for file in FILES),
        "Edit Pulumi.dev.yaml\n  hint: cd a/machines && mctl preview dev\n",
    )
    made = here / "a/machines"
    assert written(made).keys() == set(FILES)
    workflow = Path(app.__file__).with_name("templates") / "github-workflow.yml"
    assert written(made)[".github/workflows/machines.yml"] == workflow.read_text()
    assert project.stacks(made) == ["dev"]
    assert touched.stacks(made, ["__main__.py"]) == ["dev"]


def test_the_current_folder_is_the_default(mctl: Run, here: Path) -> None:
    assert mctl("init") == Ran(
        0, "".join(f"{file}\n" for file in FILES), "Edit Pulumi.dev.yaml\n  hint: mctl preview dev\n"
    )
    assert project.find_project() == here


@pytest.mark.parametrize("provider", drivers.names())
def test_the_example_of_every_provider_can_be_made(here: Path, provider: str) -> None:
    assert in_process("init", "--provider", provider).code == 0
    ((name, entry),) = declared(here).items()
    spec = MachineSpec.from_config(name, entry)
    refusals.check(spec)
    assert (name, spec.provider) == ("web-1", provider)
    assert bool(spec.allow_cidrs) == drivers.load(provider).closes


@pytest.mark.parametrize("file", FILES)
def test_a_file_that_says_something_else_is_named_and_nothing_is_written(here: Path, file: str) -> None:
    (here / file).parent.mkdir(parents=True, exist_ok=True)
    (here / file).write_text("mine\n")
    assert in_process("init") == Ran(
        1, "", f"Error: {file} is there already\n  hint: name another folder, or move the file away\n"
    )
    assert written(here) == {file: "mine\n"}


def test_what_was_stopped_half_way_is_finished_by_the_same_command(mctl: Run, here: Path) -> None:
    mctl("init")
    whole = written(here)
    (here / "__main__.py").unlink()
    assert mctl("init").code == 0
    assert written(here) == whole


def test_a_file_in_the_folders_place_and_an_unknown_provider_are_told(mctl: Run, here: Path) -> None:
    (here / "file").touch()
    ran = mctl("init", "file")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("Error: file")
    assert ran.err.endswith(" can't be used: File exists\n  hint: name another folder\n")
    ran = mctl("init", "new", "--provider", "qemo")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("Error: unknown provider 'qemo'; did you mean 'qemu'?\n")
    assert not (here / "new").exists()
