"""Whether Pulumi's own download site may and can be reached, and the folder for what was fetched or built once.

The cache is shared by all of a user's homes: `$MCTL_CACHE_DIR`, else where this OS keeps caches.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

SITE = "https://get.pulumi.com/install.sh"
PATIENCE = 3.0  # seconds
MEMORY = 24 * 3600.0  # seconds that "unreachable" is believed


def cache() -> Path:
    """Give the cache folder, which may not be there yet."""
    if folder := os.environ.get("MCTL_CACHE_DIR"):
        return Path(folder).absolute()
    from platformdirs import user_cache_path

    return user_cache_path("mctl", appauthor=False)


def offline() -> bool:
    """Tell whether the user forbids downloads: `MCTL_OFFLINE=1`."""
    return os.environ.get("MCTL_OFFLINE", "").lower() not in ("", "0", "false", "no")


def known_unreachable() -> bool:
    """Tell whether the site could not be reached within the last day."""
    try:
        return time.time() - _note().stat().st_mtime < MEMORY
    except OSError:
        return False


def reachable() -> bool:
    """Ask the site, for a few seconds at most, and remember a failure."""
    answers: list[bool] = []
    # A thread, since no timeout bounds the look-up of a name.
    asking = threading.Thread(target=lambda: answers.append(_answers()), daemon=True)
    asking.start()
    asking.join(PATIENCE + 1)
    if answers == [True]:
        _note().unlink(missing_ok=True)
        return True
    remember_unreachable()
    return False


def remember_unreachable() -> None:
    """Spare the runs of the next day the wait."""
    _note().parent.mkdir(parents=True, exist_ok=True)
    _note().touch()


def _note() -> Path:
    return cache() / "downloads-unreachable"


def _answers() -> bool:
    from urllib.request import Request, urlopen  # slow to import, and seldom needed

    try:
        with urlopen(Request(SITE, method="HEAD"), timeout=PATIENCE):
            return True
    except (OSError, ValueError):  # HTTP errors are OSErrors
        return False
