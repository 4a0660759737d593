import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.stacks import record_files, records
from tests.cli_runner import mctl_home

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
