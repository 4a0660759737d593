"""Signals for a run that waits for an engine's process."""

from __future__ import annotations

import signal
import subprocess
import threading
from typing import Any

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupts:
    """Take a Ctrl-C, a polite kill and a closed terminal for an engine's process, and count them.

    A handler that raised would do so anywhere, also where nobody waits for the engine yet, or any more.
    """

    def __init__(self) -> None:
        self.count = 0
        self._process: subprocess.Popen[str] | None = None
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._take) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def pass_on_to(self, process: subprocess.Popen[str]) -> None:
        """Pass on what came already, and what comes."""
        self._process = process
        if self.count:
            self._tell()

    def _take(self, _number: int, _frame: object) -> None:
        self.count += 1
        if self._process:
            self._tell()

    def _tell(self) -> None:
        assert self._process is not None  # noqa: S101 - who calls has looked
        self._process.send_signal(signal.SIGINT if self.count < 3 else signal.SIGKILL)
