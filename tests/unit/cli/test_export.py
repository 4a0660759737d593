"""What export refuses before it opens anything: the whole output, the exit code, and no file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli_runner import Run, as_process

MACHINE = '{"config": {"mctl:machines": {"box": {"provider": "generic"}}}}'
NO_PASSPHRASE = (
    "Error: there is no passphrase for the export\n  hint: --passphrase-file FILE, or export MCTL_EXPORT_PASSPHRASE=…\n"
)


@pytest.fixture
def mctl(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.delenv("MCTL_EXPORT_PASSPHRASE", raising=False)
    mctl_home.mkdir()
    (mctl_home / "Pulumi.box.yaml").write_text(MACHINE)
    return as_process


def test_an_unknown_machine_exits_4(mctl: Run) -> None:
    assert mctl("export", "nope") == (
        4,
        "",
        'Error: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n',
    )


def test_without_a_passphrase_nothing_is_written(mctl: Run) -> None:
    assert mctl("export", "box") == (2, "", NO_PASSPHRASE)
    Path("empty").write_text("\nsecond line\n")
    assert mctl("export", "box", "--passphrase-file", "empty") == (2, "", NO_PASSPHRASE)
    assert mctl("export", "box", "--passphrase-file", "missing") == (
        2,
        "",
        "Error: the passphrase file missing can't be read: No such file or directory\n",
    )
    assert [file.name for file in Path().iterdir()] == ["empty"]


def test_a_name_is_needed(mctl: Run) -> None:
    assert mctl("export") == (2, "", "Error: missing argument 'name'\n  hint: mctl export --help\n")
