"""Commands on this computer: `command:local:Command` and `command:local:run`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any, ClassVar

from infra.plugins.command.assets import archive_of, assets_of
from infra.plugins.command.lifecycle import INPUTS, Command, as_environment, previous_output
from infra.plugins.command.output import Output
from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties, plain, secret

SHELL = ["cmd", "/C"] if sys.platform == "win32" else ["/bin/sh", "-c"]
KILL_AFTER = 2.0  # seconds between asking a cancelled command to end and making it
QUIET = 1.0  # seconds without output after which an ended command's background children are no longer waited for


class LocalCommand(Command):
    """Run commands here, in `dir`, by `interpreter`."""

    inputs: ClassVar = (*INPUTS, "archivePaths", "assetPaths", "dir", "interpreter")
    outputs: ClassVar = ("stdout", "stderr", "assets", "archive")

    async def run(self, op: Operation, command: str, properties: Properties, olds: Properties) -> Properties:
        """Run one command within the operation's timeout."""
        output = Output(op.log, properties.get("logging"))
        try:
            async with asyncio.timeout(op.timeout or None):
                return await run_here(command, properties, olds, output)
        except TimeoutError:
            raise PluginError(output.failure(f"timed out after {op.timeout:g}s", command)) from None


async def run_function(args: Properties) -> Properties:
    """Answer `command:local:run`: the arguments and the outputs. Raises PluginError."""
    properties = plain(args)
    output = Output(lambda *_a, **_k: asyncio.sleep(0), "none")
    ran = await run_here(properties["command"], properties, {}, output)
    if properties != args:  # something that went in is secret, so what came out may be
        ran = {name: secret(value) for name, value in ran.items()}
    return args | ran


async def run_here(command: str, properties: Properties, olds: Properties, output: Output) -> Properties:
    """Run one command to its end and collect its outputs. Raises PluginError with what it printed."""
    folder = properties.get("dir")
    environment = os.environ | as_environment(properties.get("environment")) | previous_output(properties, olds)
    arguments = [*(properties.get("interpreter") or SHELL), command]
    text = properties.get("stdin") or ""
    try:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise PluginError(output.failure(_start_failure(error, arguments[0], folder), command)) from None
    await _finish(process, text, output)
    if process.returncode:
        raise PluginError(output.failure(_exit_reason(process.returncode), command))
    return {"stdout": output.stdout, "stderr": output.stderr} | _files(properties, Path(folder or Path.cwd()))


async def _finish(process: asyncio.subprocess.Process, text: str, output: Output) -> None:
    """Feed the command, read it, and wait for its end; end it first if this task is cancelled."""
    pipes = {"stdout": process.stdout, "stderr": process.stderr}
    tasks = [asyncio.create_task(output.drain(stream, pipe)) for stream, pipe in pipes.items() if pipe]
    feeding = asyncio.create_task(_feed(process, text))
    try:
        await _wait(process, tasks, output)
    finally:
        if process.returncode is None:
            await _end(process)
        for task in (*tasks, feeding):
            task.cancel()
        await asyncio.gather(*tasks, feeding, return_exceptions=True)


async def _wait(process: asyncio.subprocess.Process, reading: list[asyncio.Task[None]], output: Output) -> None:
    """Wait for the end of the command and of its output; a daemon that it left behind may hold the pipes for ever."""
    pending: set[asyncio.Task[Any]] = {*reading, asyncio.create_task(process.wait())}
    seen = -1
    try:
        while pending and (process.returncode is None or seen != output.steps):
            seen = output.steps
            _, pending = await asyncio.wait(pending, timeout=QUIET)
    finally:
        for task in pending:
            task.cancel()


async def _feed(process: asyncio.subprocess.Process, text: str) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it needn't read all, or any
        process.stdin.write(text.encode())
        await process.stdin.drain()
    process.stdin.close()


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the command and everything that it started: first by asking."""
    for force in (False, True):
        _signal(process, force=force)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), KILL_AFTER)
            return


def _signal(process: asyncio.subprocess.Process, *, force: bool) -> None:
    with contextlib.suppress(ProcessLookupError):
        if sys.platform == "win32":
            process.kill() if force else process.terminate()
        else:
            os.killpg(process.pid, signal.SIGKILL if force else signal.SIGTERM)


def _exit_reason(code: int) -> str:
    if code < 0:
        return f"signal: {(signal.strsignal(-code) or str(-code)).lower()}"
    return f"exit status {code}"


def _start_failure(error: OSError, program: str, folder: str | None) -> str:
    reason = (error.strerror or str(error)).lower()
    if folder and not Path(folder).is_dir():
        return f"chdir {folder}: {reason}"
    if os.sep not in program and isinstance(error, FileNotFoundError):
        return f'exec: "{program}": executable file not found in $PATH'
    return f"fork/exec {program}: {reason}"


def _files(properties: Properties, folder: Path) -> Properties:
    found: Properties = {}
    if properties.get("assetPaths") is not None:
        found["assets"] = assets_of(folder, properties["assetPaths"])
    if properties.get("archivePaths") is not None:
        found["archive"] = archive_of(folder, properties["archivePaths"])
    return found
