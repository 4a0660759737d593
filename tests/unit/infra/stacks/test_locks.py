import os
import socket

from infra.stacks.locks import are_stale, holders

TEXT = (
    "error: the stack is currently locked by 1 lock(s). Either wait for the other process(es) to end or delete the "
    "lock file with `pulumi cancel`.\n  file:///h/.pulumi/locks/organization/mctl/web-1/0.json: created by "
    "{user}@{host} (pid {pid}) at 2026-11-24T17:00:00Z"
)


def message(host: str, pid: int) -> str:
    return TEXT.format(user="ann", host=host, pid=pid)


def a_dead_pid() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


def test_a_lock_of_a_dead_process_of_this_host_is_stale() -> None:
    assert are_stale(message(socket.gethostname(), a_dead_pid()))


def test_a_lock_whose_pid_now_belongs_to_another_program_is_stale() -> None:
    assert are_stale(message(socket.gethostname(), os.getpid()))


def test_a_lock_of_another_host_is_not_ours_to_clear() -> None:
    assert not are_stale(message("elsewhere", a_dead_pid()))


def test_a_message_without_a_holder_clears_nothing() -> None:
    assert not are_stale("[409] Conflict: Another update is currently in progress.")


def test_holders_are_named() -> None:
    assert holders(message("elsewhere", 7)) == ["ann@elsewhere (pid 7)"]
