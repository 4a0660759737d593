"""Locks that a killed run left behind.

The engine's own lock of a self-managed backend has no lease: it names the process and the host that took it, so a lock
of a dead process of this host can be told from a live one.
Source: https://github.com/pulumi/pulumi/blob/master/pkg/backend/diy/lock.go
"""

from __future__ import annotations

import re
import socket

import psutil

HOLDER = re.compile(r"created by (?P<user>.+?)@(?P<host>\S+) \(pid (?P<pid>\d+)\) at (?P<when>\S+)")


def holders(message: str) -> list[str]:
    """List who holds the locks that the engine's message names, as `USER@HOST (pid N)`."""
    return [f"{m['user']}@{m['host']} (pid {m['pid']})" for m in HOLDER.finditer(message)]


def are_stale(message: str) -> bool:
    """Tell whether every lock in the engine's message was left by a process of this host that is gone."""
    found = list(HOLDER.finditer(message))
    return bool(found) and all(m["host"] == socket.gethostname() and not _holds(int(m["pid"])) for m in found)


def _holds(pid: int) -> bool:
    """Tell whether the process is a Pulumi engine: a pid may have been given to another program since."""
    try:
        return "pulumi" in psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
