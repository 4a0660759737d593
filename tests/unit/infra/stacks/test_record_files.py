import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.stacks import record_files, records
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]


def test_a_failed_replacement_keeps_the_old_file(tmp_path: Path) -> None:
    folder = tmp_path / "box"
    record_files.write(str(folder), {"a": b"old"})
    (folder / "b").mkdir()
    with pytest.raises(IsADirectoryError):
        record_files.write(str(folder), {"b": b"new", "a": b"new"})
    assert (folder / "a").read_bytes() == b"old"
    assert sorted(os.listdir(folder)) == ["a", "b"]


def test_processes_that_save_the_same_new_machine_both_succeed(mctl_home: Path) -> None:
    script = (
        "from infra.stacks import records\n"
        "from tests.stack_outputs import outputs\n"
        "records.save(outputs('web-1'), stack='prod', project='/project')\n"
    )
    root = Path(records.__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", script], cwd=root) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert os.listdir(mctl_home / "machines") == ["web-1"]
    assert len(os.listdir(records.folder("web-1"))) == 8


def test_a_record_is_written_once_and_a_new_one_appears_whole(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appeared: list[list[str]] = []
    rename = os.rename

    def look(fresh: str, folder: str) -> None:
        appeared.append(os.listdir(fresh))
        rename(fresh, folder)

    monkeypatch.setattr(os, "rename", look)
    record = records.save(outputs("web-1"), stack="prod", project="/project")
    assert [sorted(files) for files in appeared] == [sorted(os.listdir(record.folder))]


@pytest.mark.parametrize("key", ["the SSH key", None])
def test_ssh_config_and_config_json_name_the_key_that_the_same_write_brings_or_takes(
    mctl_home: Path, key: str | None
) -> None:
    for held in (None if key else "another", key):
        record = records.save(outputs("web-1", ssh_private_key=held), stack="prod", project="/project")
    folder, file = Path(record.folder), f"{record.folder}/id_ed25519"
    assert (f'IdentityFile "{file}"' in (folder / "ssh_config").read_text()) == bool(key)
    assert json.loads((folder / "config.json").read_text())["Driver"]["SSHKeyPath"] == (file if key else "")
