"""Files that a declaration names."""

from __future__ import annotations

from pathlib import Path

from infra.errors import PreCreateError


def read(machine: str, path: str, what: str, option: str) -> str:
    """Read a text file; no path gives no text. Raises PreCreateError."""
    try:
        return Path(path).read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise PreCreateError(
            f"the {what} {path} can't be read: {getattr(error, 'strerror', None) or 'it is not text'}",
            machine=machine,
            mend=f"put it back, or name a file that you can read with {option}",
        ) from None
