"""What a command prints: kept for the outputs, and passed on to the user line by line as it comes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Awaitable, Callable
from typing import Protocol

CHUNK = 64 * 1024
# A carriage return also ends a line for the user: apt and curl draw their progress with it.
LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")
ESCAPES = {char: rf"\{name}" for char, name in zip('\a\b\f\n\r\t\v\\"', 'abfnrtv\\"', strict=True)}
LOGGED = {"stdout": ("stdout",), "stderr": ("stderr",), "none": (), None: ("stdout", "stderr")}


class Reader(Protocol):
    """Whatever bytes can be read from: a pipe or an SSH channel."""

    async def read(self, n: int = -1) -> bytes:
        """Give up to `n` bytes; none at the end."""


class Output:
    """Collect both streams of one command."""

    def __init__(self, log: Callable[..., Awaitable[None]], logging: str | None) -> None:
        """Log the streams that `logging` names: stdout, stderr, stdoutAndStderr, none; None means both."""
        self._log = log
        self._logged = LOGGED.get(logging, ("stdout", "stderr") if logging == "stdoutAndStderr" else ())
        self._parts: dict[str, list[str]] = {"stdout": [], "stderr": []}
        self._both: list[str] = []
        self.steps = 0  # what has been read and logged so far, to tell whether more is coming

    @property
    def stdout(self) -> str:
        """Give the standard output without its last newline."""
        return "".join(self._parts["stdout"]).removesuffix("\n")

    @property
    def stderr(self) -> str:
        """Give the standard error without its last newline."""
        return "".join(self._parts["stderr"]).removesuffix("\n")

    def failure(self, reason: str, command: str) -> str:
        """Say why the command failed, in the official plugin's words, with all that it printed."""
        return f"{reason}: running {quote(command)}:\n{''.join(self._both)}"

    async def drain(self, stream: str, reader: Reader) -> None:
        """Read one stream to its end. Lines may have any length."""
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        line: list[str] = []
        while data := await reader.read(CHUNK):
            line = await self._take(stream, decoder.decode(data), line)
        line = await self._take(stream, decoder.decode(b"", final=True), line)
        await self._tell(stream, "".join(line))

    async def _take(self, stream: str, text: str, line: list[str]) -> list[str]:
        """Keep the text, log the lines it completes, and give back the pieces of the line that goes on."""
        if not text:
            return line
        self._parts[stream].append(text)
        self._both.append(text)
        self.steps += 1
        if line and line[-1].endswith("\r"):
            text = line.pop() + text
        first, *rest = LINE_END.split(text)
        line.append(first)
        for following in rest:
            await self._tell(stream, "".join(line))
            line = [following]
        return line

    async def _tell(self, stream: str, line: str) -> None:
        self.steps += 1
        if line.rstrip("\r") and stream in self._logged:
            await self._log(line.rstrip("\r"), ephemeral=True)


def quote(text: str) -> str:
    """Quote as Go's %q does, which is what the official plugin's messages show."""
    return '"' + "".join(map(_quoted, text)) + '"'


def _quoted(char: str) -> str:
    if char in ESCAPES:
        return ESCAPES[char]
    if char.isprintable():
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
