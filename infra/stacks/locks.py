"""Who may change a stack: one run at a time; and the locks that a killed run left behind.

A run of this computer keeps the others from the stack's declaration, which the engine's lock does not cover. That lock
ends with its process.

The engine's own lock of a self-managed backend has no lease: it names the process and the host that took it, so a lock
of a dead process of this host can be told from a live one. An engine whose mctl was killed may live on, waiting for a
host that boots; it is ended before its lock is cleared.
Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from infra.errors import StackLockedError
from infra.stacks.home import home

HOLDER = re.compile(r"created by (?P<user>.+?)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<when>\S+)")
CLIENT = "MCTL_CLIENT"  # in the engine's environment: which process drives it
CANCEL_SECONDS = 30  # what an engine gets to cancel its update, save the state and release the lock
WAIT = "wait for it to end: the same command with --wait does"
DEAD = f"{WAIT}; if that run is dead, mctl unlock {{}}"
FOREVER = float("inf")
CLOCK_SECONDS = 2  # within which two readings of one process's start agree

POLL_SECONDS = 1.0  # between two tries to get the engine's lock, a few requests each
# How long a run waits for others on its stack; how long it has waited is each lock's own.
patience = 0.0


def one_run(folder: Path, stack: str, say: Callable[[str], None] = lambda _line: None) -> FileLock:
    """Keep other runs on this computer from a stack for as long as the lock is referred to.

    Raises StackLockedError where another one holds it for longer than the patience lasts.
    """
    name = sha256(str(folder.resolve() / stack).encode()).hexdigest()[:16]
    file = Path(home("locks"), f"{name}.run")
    holder = file.with_suffix(".pid")
    lock = FileLock(file, timeout=0, is_singleton=True)  # this process may open a stack twice
    try:
        lock.acquire()
    except Timeout:
        pid = holder.read_text() if holder.exists() else ""
        by = f"another mctl (pid {pid or 'unknown'}){_since_start(pid)}"
        if patience:
            say(f"Waiting for {by}")
        try:
            lock.acquire(timeout=patience if patience < FOREVER else -1)
        except Timeout:
            raise StackLockedError(f"stack {stack} is locked by {by}", mend=WAIT) from None
    holder.write_text(str(os.getpid()))
    return lock


def client() -> dict[str, str]:
    """Give the variable that tells an engine's mctl, this process, from a later one with its pid."""
    me = psutil.Process()
    return {CLIENT: f"{me.pid}:{me.create_time()}"}


def holders(message: str) -> list[str]:
    """List who holds the locks that the engine's message names, as `USER@HOST (pid N) since TIME`."""
    return [
        f"{m['user']}@{m['host']} (pid {m['pid']}){since(datetime.fromisoformat(m['when']))}"
        for m in HOLDER.finditer(message)
    ]


def are_elsewhere(message: str) -> bool:
    """Tell whether another computer holds one of the locks that the engine's message names."""
    return any(m["host"] != socket.gethostname() for m in HOLDER.finditer(message))


def since(moment: datetime) -> str:
    """Say since when, so that people in several time zones read the same."""
    return f" since {moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _since_start(pid: str) -> str:
    try:
        return since(datetime.fromtimestamp(psutil.Process(int(pid)).create_time(), UTC))
    except (ValueError, psutil.Error):
        return ""


def is_held(lock: Path) -> bool:
    """Tell whether a lock's file names an engine that may still write: one that runs here, or any on another host."""
    try:
        says = json.loads(lock.read_bytes())
        return bool(says["hostname"] != socket.gethostname() or _engine(int(says["pid"])))
    except (OSError, ValueError, KeyError, TypeError):
        return False


def abandoned(message: str) -> bool:
    """Tell whether nobody needs the locks that the engine's message names; ends engines that have lost their mctl."""
    found = list(HOLDER.finditer(message))
    if not found or any(m["host"] != socket.gethostname() for m in found):
        return False
    engines = [engine for m in found if (engine := _engine(int(m["pid"])))]
    if not all(map(_is_orphan, engines)):
        return False
    for engine in engines:
        _end(engine)
    return True


def _engine(pid: int) -> psutil.Process | None:
    """Find a Pulumi engine by its pid, which may have been given to another program since."""
    try:
        found = psutil.Process(pid)
        return found if "pulumi" in found.name() and found.status() != psutil.STATUS_ZOMBIE else None
    except psutil.Error:
        return None


def _is_orphan(engine: psutil.Process) -> bool:
    try:
        pid, _, began = engine.environ().get(CLIENT, "").partition(":")
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False
    if not began:
        return False
    try:
        found = psutil.Process(int(pid))
        return found.status() == psutil.STATUS_ZOMBIE or abs(found.create_time() - float(began)) > CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return True


def _end(engine: psutil.Process) -> None:
    try:
        engine.terminate()
        engine.wait(CANCEL_SECONDS)
    except psutil.TimeoutExpired:
        engine.kill()
        engine.wait(CANCEL_SECONDS)
    except psutil.NoSuchProcess:
        pass
