"""Commands on hosts: `command:remote:Command`."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

from infra.plugins.command.lifecycle import INPUTS, Command, as_environment, previous_output
from infra.plugins.command.output import Output
from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties

if TYPE_CHECKING:
    import asyncssh

KILL_AFTER = 2.0  # seconds between asking a cancelled command to end and making it
# OpenSSH passes no signal on to root's commands. They are what else runs below this connection's server process; each
# leads a process group of its own. One line, without a quote: any login shell must take it.
KILL_SESSIONS = (
    "exec sh -c 'for stat in /proc/[0-9]*/stat; do { read -r line <$stat; } 2>/dev/null || continue; "
    'set -- ${line##*") "}; [ "$2" = $PPID ] && [ "$3" != $$ ] && kill -%s -"$3"; done\''
)


class RemoteCommand(Command):
    """Run commands on a host, one SSH session each."""

    inputs: ClassVar = (*INPUTS, "connection")
    required: ClassVar = ("connection",)

    async def run(self, op: Operation, command: str, properties: Properties, olds: Properties) -> Properties:
        """Connect and run one command, both within the operation's timeout."""
        # Here and not at the top: what only previews, or runs commands locally, doesn't wait for asyncssh to load.
        from infra.plugins.command.connection import Connection, Dialer

        output = Output(op.log, properties.get("logging"))
        dialer = Dialer(Connection.read(properties["connection"]), op.log)
        try:
            async with asyncio.timeout(op.timeout or None), dialer.connected() as ssh:
                await _run_there(ssh, command, properties, olds, output)
        except TimeoutError:
            reason = f"timed out after {op.timeout:g}s" + (f": {dialer.last}" if dialer.last else "")
            raise PluginError(output.failure(reason, command)) from None
        return {"stdout": output.stdout, "stderr": output.stderr}


async def _run_there(
    ssh: asyncssh.SSHClientConnection, command: str, properties: Properties, olds: Properties, output: Output
) -> None:
    """Run one command to its end. Raises PluginError with what it printed."""
    import asyncssh

    environment = as_environment(properties.get("environment"))
    try:
        if environment:
            await _check_environment(ssh, environment)
        process = await ssh.create_process(
            command, env=environment | previous_output(properties, olds), encoding=None, stdin=asyncssh.PIPE
        )
        await _finish(ssh, process, properties.get("stdin") or "", output)
    except (asyncssh.Error, OSError) as error:
        reason = getattr(error, "reason", "") or str(error)
        raise PluginError(output.failure(f"the connection was lost: {reason}", command)) from None
    if process.exit_status != 0:
        raise PluginError(output.failure(_exit_reason(process), command))


async def _finish(
    ssh: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes], text: str, output: Output
) -> None:
    """Feed the command, read it, and wait for its end; end it first if this task is cancelled."""
    try:
        with contextlib.suppress(BrokenPipeError):  # it needn't read all, or any
            process.stdin.write(text.encode())
            process.stdin.write_eof()
        async with asyncio.TaskGroup() as group:
            group.create_task(output.drain("stdout", process.stdout))
            group.create_task(output.drain("stderr", process.stderr))
        await process.wait_closed()
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    except asyncio.CancelledError:
        await _end(ssh, process)
        raise


async def _end(ssh: asyncssh.SSHClientConnection, process: asyncssh.SSHClientProcess[bytes]) -> None:
    """End the command and its children: first by asking."""
    import asyncssh

    for name in ("TERM", "KILL"):
        with contextlib.suppress(OSError, asyncssh.Error, TimeoutError):  # already closed, or deaf
            async with asyncio.timeout(KILL_AFTER):
                process.send_signal(name)
                await ssh.run(KILL_SESSIONS % name)
                await process.wait_closed()
                return


async def _check_environment(ssh: asyncssh.SSHClientConnection, environment: dict[str, str]) -> None:
    """Refuse variables that the host's sshd drops without a word. A host without `env` is taken at its word."""
    shown = await ssh.run("env", env=environment, errors="replace")
    present = {line.partition("=")[0] for line in str(shown.stdout).splitlines()}
    dropped = sorted(environment.keys() - present)
    if shown.exit_status == 0 and dropped:
        raise PluginError(
            f"could not set environment variable {', '.join(dropped)}: this only works if the SSH server is configured "
            "to accept it by AcceptEnv; or prefix the command with it, in the form 'VAR=value command'"
        )


def _exit_reason(process: asyncssh.SSHClientProcess[Any]) -> str:
    if process.exit_signal:
        name, _, message, _ = process.exit_signal
        return f"Process exited with status {_signal_status(name)} from signal {name}" + (
            f". Reason was: {message}" if message else ""
        )
    if process.exit_status is None:
        return "wait: remote command exited without exit status or exit signal"
    return f"Process exited with status {process.exit_status}"


def _signal_status(name: str) -> int:
    """Give a shell's exit status for a signal's SSH name (RFC 4254, section 6.10)."""
    numbers = {"HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9, "SEGV": 11, "PIPE": 13}
    return 128 + (numbers | {"ALRM": 14, "TERM": 15}).get(name, 0)
