from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from infra.errors import StackLockedError
from infra.stacks.locks import CLIENT, abandoned, client, holders, is_held, one_run, since

TEXT = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n  file:///h/.pulumi/locks/organization/mctl/web-1/0.json: created by "
    "{user}@{host} (pid {pid}) at 2026-11-24T17:00:00Z"
)


Engine = Callable[[Mapping[str, str]], "subprocess.Popen[bytes]"]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """Start a program that is called pulumi, with an environment."""
    program = tmp_path / "pulumi"
    shutil.copy(shutil.which("sleep") or "", program)
    started = []

    def start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([program, "60"], env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def message(host: str, pid: int) -> str:
    return TEXT.format(user="ann", host=host, pid=pid)


def a_dead_pid() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_lock_of_a_dead_process_of_this_host_is_stale() -> None:
    assert abandoned(message(socket.gethostname(), a_dead_pid()))


def test_a_lock_of_an_engine_whose_mctl_lives_is_needed(engine: Engine) -> None:
    running = engine(client())
    assert not abandoned(message(socket.gethostname(), running.pid))
    assert running.poll() is None


def test_an_engine_that_another_program_started_is_left_alone(engine: Engine) -> None:
    running = engine({})
    assert not abandoned(message(socket.gethostname(), running.pid))
    assert running.poll() is None


@pytest.mark.parametrize("mctl", ["{dead}:1.0", "{alive}:1.0"])
def test_an_engine_whose_mctl_was_killed_is_ended_and_its_lock_is_nobodys(engine: Engine, mctl: str) -> None:
    running = engine({CLIENT: mctl.format(dead=a_dead_pid(), alive=os.getpid())})
    assert abandoned(message(socket.gethostname(), running.pid))
    assert not psutil.pid_exists(running.pid)


def test_a_lock_whose_pid_now_belongs_to_another_program_is_stale() -> None:
    assert abandoned(message(socket.gethostname(), os.getpid()))


def test_a_lock_of_another_host_is_not_ours_to_clear() -> None:
    assert not abandoned(message("elsewhere", a_dead_pid()))


def test_a_message_without_a_holder_clears_nothing() -> None:
    assert not abandoned("[409] Conflict: Another update is currently in progress.")


def lock_file(folder: Path, **says: object) -> Path:
    file = folder / "lock.json"
    file.write_text(json.dumps({"pid": 1, "username": "ann", "hostname": socket.gethostname()} | says))
    return file


def test_a_lock_is_held_by_an_engine_that_runs_here_or_by_any_elsewhere(tmp_path: Path, engine: Engine) -> None:
    assert is_held(lock_file(tmp_path, pid=engine({}).pid))
    assert is_held(lock_file(tmp_path, pid=a_dead_pid(), hostname="elsewhere"))
    assert not is_held(lock_file(tmp_path, pid=a_dead_pid()))


def test_a_lock_that_was_cut_off_is_held_by_nobody(tmp_path: Path) -> None:
    (tmp_path / "lock.json").write_text("")
    assert not is_held(tmp_path / "lock.json")


def test_holders_are_named() -> None:
    assert holders(message("elsewhere", 7)) == ["ann@elsewhere (pid 7) since 2026-11-24 17:00:00 UTC"]


def test_one_run_keeps_others_from_its_stack_until_it_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCTL_HOME", str(tmp_path / "home"))
    script = (
        "import pathlib, time\n"
        "from infra.stacks.locks import one_run\n"
        f"lock = one_run(pathlib.Path({str(tmp_path)!r}), 'prod')\n"
        "print('held', flush=True)\n"
        "time.sleep(60)\n"
    )
    other = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StackLockedError) as told:
            one_run(tmp_path, "prod")
        began = since(datetime.fromtimestamp(psutil.Process(other.pid).create_time(), UTC))
        assert told.value.message == f"stack prod is locked by another mctl (pid {other.pid}){began}"
        assert told.value.mend == "wait for it to end: the same command with --wait does"
        assert one_run(tmp_path, "test").is_locked
    finally:
        other.kill()
        other.communicate()
    ours = one_run(tmp_path, "prod")
    assert ours.is_locked
    assert one_run(tmp_path, "prod") is ours
