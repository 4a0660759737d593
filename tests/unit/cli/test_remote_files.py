"""What scp, mount and ssh-config make of their arguments, with stand-ins that write down how they were called."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.remote_files import Place, place
from infra.stacks import records
from tests.cli_runner import Ran, as_process
from tests.stack_outputs import outputs

pytestmark = pytest.mark.usefixtures("mctl_home")
PLACE = "[[USER@]MACHINE:]PATH"


@pytest.fixture
def called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Have nothing but stand-ins on PATH; the file has their arguments, one a line, and what `-F FILE` held."""
    folder, file = tmp_path / "bin", tmp_path / "called"
    folder.mkdir()
    for name in ("scp", "rsync", "sshfs", "fusermount3"):
        (folder / name).write_text(
            f'#!/bin/sh\nprintf "%s\\n" "${{0##*/}}" "$@" >{file}\n'
            'while [ $# -gt 0 ]; do case "$1" in -F) config=$2;; "ssh -F "*) config=${1#ssh -F };; esac; shift; done\n'
            f'if [ "$config" ]; then while read -r line; do echo "$line"; done <"$config" >{file}.config; fi\nexit 7\n'
        )
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(folder))
    return file


def save(name: str, **changes: object) -> records.Record:
    return records.save(outputs(name, **changes), stack="prod", project="/project")


def arguments(called: Path) -> list[str]:
    """Give the words of the call, with the place of a temporary ssh_config left out."""
    words = called.read_text().splitlines()
    return ["CONFIG" if word.endswith("/ssh_config") and "/mctl-" in word else word for word in words]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("web-1:/srv", Place("", "web-1", "/srv")),
        ("me@web-1:a:b", Place("me", "web-1", "a:b")),
        ("web-1:", Place("", "web-1", "")),
        ("c:x", Place("", "c", "x")),
        ("./a:b", Place("", "", "./a:b")),
        ("/a@b:c", Place("", "", "/a@b:c")),
        ("localhost:a:b", Place("", "", "a:b")),
        ("plain", Place("", "", "plain")),
    ],
)
def test_a_machine_is_what_stands_before_the_first_colon_that_no_slash_precedes(text: str, expected: Place) -> None:
    assert place(text) == expected


def test_on_windows_a_drive_is_no_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cli.remote_files.os.name", "nt")
    assert [place(text).machine for text in ("C:\\x", "C:/x", "c:x", "web:C:\\x")] == ["", "", "c", "web"]


def test_scp_gets_a_config_with_each_machine_and_the_users_own_after_them(called: Path) -> None:
    for name in ("web-1", "web-2"):
        save(name, ssh_port=2222)
    assert as_process("scp", "-r", "-q", "me@web-1:/srv/a b", "web-2:") == Ran(7, "", "")
    assert arguments(called) == ["scp", "-3", "-F", "CONFIG", "-r", "-q", "--", "me@web-1:/srv/a b", "web-2:"]
    lines = Path(f"{called}.config").read_text().splitlines()
    assert [line for line in lines if line.startswith("Host ")] == ["Host web-1", "Host web-2"]
    assert lines.count("StrictHostKeyChecking yes") == 2
    assert lines[-2:] == ["Match all", "Include ~/.ssh/config"]


def test_a_local_path_is_never_taken_for_a_machine_or_an_option(called: Path) -> None:
    save("web-1")
    as_process("scp", "localhost:a:b", "web-1:x")
    assert arguments(called)[-2:] == ["./a:b", "web-1:x"]
    as_process("scp", "web-1:x", "/tmp/y")
    assert arguments(called)[-2:] == ["web-1:x", "/tmp/y"]


@pytest.mark.parametrize(
    ("flags", "expected"), [((), ["--progress"]), (("-q",), ["-q"]), (("-r",), ["--progress", "-r"])]
)
def test_delta_is_rsync(called: Path, flags: tuple[str, ...], expected: list[str]) -> None:
    save("web-1")
    assert as_process("scp", "--delta", *flags, "web-1:/srv", "here") == Ran(7, "", "")
    words = called.read_text().splitlines()
    assert words[0] == "rsync"
    assert [word for word in words if word.startswith("-") and word not in ("-e", "--")] == expected
    assert words[words.index("-e") + 1].startswith("ssh -F ")
    assert words[-2:] == ["web-1:/srv", "./here"]


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        (("scp",), 2, f"Improper number of arguments\n  hint: mctl scp {PLACE} {PLACE}"),
        (("scp", "a", "b", "c"), 2, f"Improper number of arguments\n  hint: mctl scp {PLACE} {PLACE}"),
        (
            ("scp", "-d", "web-1:a", "web-2:b"),
            2,
            "--delta can't copy from machine to machine\n  hint: leave --delta off, or copy here first",
        ),
        (
            ("scp", "nowhere:a", "b"),
            4,
            'machine "nowhere" does not exist\n  hint: mctl ls, or mctl create nowhere',
        ),
        (("scp", "off:a", "b"), 1, 'machine "off" is not running\n  hint: mctl start off'),
        (("mount", "off:/srv"), 1, 'machine "off" is not running\n  hint: mctl start off'),
        (
            ("mount", "/srv"),
            4,
            'No machine name(s) specified and no "default" machine exists\n  hint: mctl ls, or mctl create default',
        ),
        (("mount", "localhost:/srv"), 2, "localhost:/srv is on this computer already"),
        (
            ("ssh-config", "nowhere"),
            4,
            'machine "nowhere" does not exist\n  hint: mctl ls, or mctl create nowhere',
        ),
        (
            ("ssh-config", "--write", "web-1"),
            2,
            "--write keeps a file of all machines\n  hint: mctl ssh-config --write",
        ),
    ],
)
@pytest.mark.usefixtures("called")
def test_what_cannot_be_is_refused(command: tuple[str, ...], code: int, message: str) -> None:
    save("off", running=False)
    assert as_process(*command) == Ran(code, "", f"Error: {message}\n")


@pytest.mark.parametrize(
    ("command", "program", "feature"),
    [
        (("scp", "web-1:a", "b"), "scp", "scp feature"),
        (("scp", "-d", "web-1:a", "b"), "rsync", "--delta option"),
        (("mount", "web-1:/srv"), "sshfs", "mount feature"),
        (("mount", "-u", "web-1:/srv"), "fusermount3", "mount feature"),
    ],
)
def test_a_program_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], program: str, feature: str
) -> None:
    save("web-1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert as_process(*command) == Ran(
        1,
        "",
        f"Error: You must have a copy of the {program} binary locally to use the {feature}\n"
        f"  hint: install {program}\n",
    )


def test_mount_is_sshfs_with_a_config_that_stays(called: Path) -> None:
    folder = save("default").folder
    Path(folder, "ssh_config").unlink()
    assert as_process("mount", "/srv") == Ran(7, "", "")
    assert called.read_text().splitlines() == ["sshfs", "-F", f"{folder}/ssh_config", "default:/srv", "/srv"]
    assert Path(folder, "ssh_config").exists()
    as_process("mount", "me@default:/srv", "here")
    assert called.read_text().splitlines()[-2:] == ["me@default:/srv", "here"]


def test_unmount_needs_no_machine(called: Path) -> None:
    assert as_process("mount", "-u", "gone:/srv", "here") == Ran(7, "", "")
    assert called.read_text().splitlines() == ["fusermount3", "-u", "here"]
    as_process("mount", "--unmount", "gone:/srv")
    assert called.read_text().splitlines() == ["fusermount3", "-u", "/srv"]


def test_ssh_config_prints_the_machines_asked_for_and_all_without_names() -> None:
    blocks = {name: Path(save(name).folder, "ssh_config").read_text() for name in ("web-2", "web-10")}
    assert as_process("ssh-config", "web-10") == Ran(0, blocks["web-10"], "")
    assert as_process("ssh-config") == Ran(0, f"{blocks['web-2']}\n{blocks['web-10']}", "")
    assert as_process("ssh-config", "web-2", "--json").out.startswith(
        '{\n    "web-2": {\n        "HostName": "192.0.2.7",\n'
    )


def test_a_machine_without_an_address_leaves_the_file_readable() -> None:
    printed = as_process("ssh-config", save("web-1", address="", running=False).name)
    assert printed.out.splitlines()[:2] == ["Host web-1", "  Port 22"]


def test_ssh_config_without_machines_is_empty() -> None:
    assert as_process("ssh-config") == Ran(0, "", "")


def test_a_damaged_record_keeps_ssh_config_from_no_other_machine() -> None:
    good = Path(save("web-1").folder, "ssh_config").read_text()
    Path(save("broken").folder, "machine.json").write_text("{")
    ran = as_process("ssh-config")
    assert (ran.code, ran.out) == (1, good)
    assert ran.err.startswith('Error: the record of machine "broken" can\'t be read: ')


def test_the_kept_file_is_private_and_brings_old_records_up_to_date(mctl_home: Path) -> None:
    own = Path(save("web-1").folder, "ssh_config")
    own.unlink()
    file = mctl_home / "ssh_config"
    line = f'Include "{file}"'
    assert as_process("ssh-config", "--write") == Ran(
        0, f"{file}\n", f"Once, put this line at the top of ~/.ssh/config:\n{line}\n"
    )
    assert own.exists()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.read_text().splitlines()[-1] == f'Include "{mctl_home}/machines/*/ssh_config"'
