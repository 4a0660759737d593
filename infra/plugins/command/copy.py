"""Files onto hosts: `command:remote:CopyToRemote`, over SFTP."""

from __future__ import annotations

import asyncio
import posixpath
from pathlib import Path
from typing import TYPE_CHECKING, Any

from infra.plugins.command.diff import diff_inputs, same
from infra.plugins.command.inputs import check_inputs
from infra.plugins.command.lifecycle import unique_id
from infra.plugins.server import CheckFailure, Diff, Operation, PluginError, Resource
from infra.plugins.wire import ARCHIVE, ASSET, SIGNATURE, Properties, has_unknown, plain

if TYPE_CHECKING:
    import asyncssh

INPUTS = ("connection", "remotePath", "source", "triggers")
TARGET = ("host", "port", "user")  # what of a connection says which host it is


class CopyToRemote(Resource):
    """Keep one file or folder on a host as it is here. Deleting the resource leaves the copy."""

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Fill in the connection's defaults and refuse a source that can't be sent."""
        inputs, failures = check_inputs(op, INPUTS, ("connection", "source", "remotePath"))
        source = plain(inputs.get("source"))
        if source is not None and not has_unknown(source):
            failures += _check_source(source)
        return inputs, failures

    def diff(self, op: Operation) -> Diff:
        """Compare every input; triggers that come or go as a whole replace."""
        return diff_inputs(op, INPUTS, replacing=("triggers",))

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Copy; the outputs are the inputs."""
        if op.preview:
            return "", op.news
        await _copy(op, plain(op.news))
        return unique_id(""), op.news

    async def update(self, op: Operation) -> Properties:
        """Copy again where the content, the path or the host changed."""
        news = op.news | {name: op.olds.get(name) for name in op.ignore_changes}
        if not op.preview and not _is_there(plain(op.olds), plain(news)):
            await _copy(op, plain(news))
        return news

    async def delete(self, op: Operation) -> None:
        """Leave the copy, as the official plugin does."""


def _check_source(source: Any) -> list[CheckFailure]:
    kind = source.get(SIGNATURE) if isinstance(source, dict) else None
    if kind == ASSET and source.get("path") is None and source.get("text") is None:
        return [CheckFailure("asset", "asset must be a path-based file asset or a text asset")]
    if kind == ARCHIVE and source.get("path") is None:
        return [CheckFailure("archive", "archive must be a path to a file or directory")]
    if kind not in (ASSET, ARCHIVE):
        return [CheckFailure("asset", "either asset or archive must be set")]
    return []


def _is_there(olds: Properties, news: Properties) -> bool:
    before, after = olds.get("connection") or {}, news["connection"]
    return (
        same(olds.get("source"), news["source"])
        and olds.get("remotePath") == news["remotePath"]
        and all(before.get(key) == after.get(key) for key in TARGET)
    )


async def _copy(op: Operation, properties: Properties) -> None:
    # Here and not at the top: what only previews doesn't wait for asyncssh to load.
    import asyncssh

    from infra.plugins.command.connection import Connection, Dialer

    dialer = Dialer(Connection.read(properties["connection"]), op.log)
    destination = properties["remotePath"]
    try:
        async with asyncio.timeout(op.timeout or None), dialer.connected() as ssh, ssh.start_sftp_client() as sftp:
            await _send(sftp, properties["source"], destination)
    except TimeoutError:
        last = f": {dialer.last}" if dialer.last else ""
        raise PluginError(f"timed out after {op.timeout:g}s: copying to {destination}{last}") from None
    except (asyncssh.Error, OSError) as error:
        reason = getattr(error, "reason", "") or str(error)
        raise PluginError(f"failed to copy to remote path {destination}: {reason}") from None


async def _send(sftp: asyncssh.SFTPClient, source: Properties, destination: str) -> None:
    """Send text, a file or a folder. A file or folder goes into a remote folder that is there already."""
    is_folder = await sftp.isdir(destination)
    if source.get("path") is None:
        if is_folder:
            raise PluginError(
                f"remote path {destination} is a directory; when using a text asset, remotePath must be a file path"
            )
        await _make_parents(sftp, destination)
        async with sftp.open(destination, "wb") as file:
            await file.write(source["text"].encode())
        return
    path = Path(source["path"])
    if not path.exists():
        raise PluginError(f"open {path}: no such file or directory")
    if path.is_dir():
        await _send_folder(sftp, source["path"], destination)
        return
    await _make_parents(sftp, destination)
    await sftp.put(str(path), posixpath.join(destination, path.name) if is_folder else destination)


async def _send_folder(sftp: asyncssh.SFTPClient, source: str, destination: str) -> None:
    """Send a folder: its content where its path ends with a slash, else itself."""
    if not source.endswith("/"):
        destination = posixpath.join(destination, Path(source).name)
    for folder in (posixpath.dirname(destination), destination):
        if await sftp.isfile(folder):
            raise PluginError(f"remote path {folder} exists but is not a directory")
    await sftp.makedirs(destination, exist_ok=True)
    entries = [str(entry) for entry in sorted(Path(source).iterdir())]
    if entries:
        await sftp.put(entries, destination, recurse=True, follow_symlinks=True)


async def _make_parents(sftp: asyncssh.SFTPClient, destination: str) -> None:
    parent = posixpath.dirname(destination)
    if parent:
        await sftp.makedirs(parent, exist_ok=True)
