"""A wait for what a provider tells only to those who ask again."""

from __future__ import annotations

import time
from collections.abc import Callable

POLL_SECONDS = 1.0


def until(so: Callable[[], bool], seconds: float) -> bool:
    """Ask again and again until it is so, and tell whether that came within so many seconds."""
    end = time.monotonic() + seconds
    while not so():
        if time.monotonic() > end:
            return False
        time.sleep(POLL_SECONDS)
    return True
