"""The `pulumi` program, run so that no signal is lost on the way to it."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from pulumi import automation as auto
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from infra.stacks import locks
from infra.stacks.interrupts import Interrupts

# What the engine says of state or a lock that it finds cut off: another run is writing it just now, was killed, or had
# a full disk.
CUT_OFF = re.compile(
    r"error: (.*: )?(EOF|unexpected end of JSON input|corrupt store: missing version .*)$", re.MULTILINE
)
# What a provider says that is overloaded or counts calls (RFC 6585, RFC 9110).
PASSING = re.compile(
    r"\b(status|code|error|http)\b\W*(code)?\W*(429|50[234])\b|\b429 |\b50[234] (bad|service|gateway)|rate ?limit"
    r"|too many requests|throttl|requestlimitexceeded|service unavailable|temporarily unavailable",
    re.IGNORECASE,
)


class Engine(auto.PulumiCommand):
    """Run `pulumi` where no stray signal reaches it, and pass on ours: twice to stop well, then to stop at once.

    The SDK's own never shows its process, so a signal to this program alone would leave the stack locked.
    """

    def __init__(self, program: Path, version: str) -> None:
        self.command = str(program)
        self.version = VersionInfo.parse(version)
        self.interrupted = False

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
        text: str = "",
    ) -> auto.CommandResult:
        """Run one command to its end. Raises CommandError, and KeyboardInterrupt where it ended well all the same."""
        with Interrupts() as interrupts:
            process = subprocess.Popen(
                [self.command, "--non-interactive", *args],
                cwd=cwd,
                env={**os.environ, **additional_env, **locks.client(), "PULUMI_AUTOMATION_API": "true"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                start_new_session=True,
            )
            interrupts.pass_on_to(process)
            with ThreadPoolExecutor(3) as readers:
                readers.submit(_feed, process, text)
                out = readers.submit(_drain, process.stdout, on_output)
                err = readers.submit(_drain, process.stderr, on_error)
                process.wait()
        self.interrupted = self.interrupted or interrupts.count > 0
        result = auto.CommandResult(stdout=out.result(), stderr=err.result(), code=process.returncode)
        if result.code:
            raise create_command_error(result)
        if interrupts.count:
            raise KeyboardInterrupt
        return result


def _feed(process: subprocess.Popen[str], text: str) -> None:
    assert process.stdin is not None  # noqa: S101 - it was opened as a pipe
    with suppress(BrokenPipeError), process.stdin:
        process.stdin.write(text)


def _drain(stream: IO[str] | None, callback: Callable[[str], Any] | None) -> str:
    lines = []
    for line in stream or ():
        lines.append(line.rstrip())
        if callback:
            callback(lines[-1])
    return "\n".join(lines)
