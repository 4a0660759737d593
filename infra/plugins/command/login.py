"""Log in to a host: keys, agent and password, and what to say when that fails."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import AsyncIterator
from typing import Any, Protocol

import asyncssh

from infra.plugins.server import PluginError

# What a host may prove itself with. All are offered, the pinned key's first: a host that only has others then shows
# one, which is a mismatch, instead of hanging up.
HOST_KEY_ALGORITHMS = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)


class Credentials(Protocol):
    """What a connection says about logging in."""

    @property
    def password(self) -> str | None:
        """The password."""

    @property
    def private_key(self) -> str | None:
        """The private key, in OpenSSH or PEM format."""

    @property
    def private_key_password(self) -> str | None:
        """What opens the private key."""

    @property
    def agent_socket_path(self) -> str | None:
        """Where the SSH agent listens."""


class Refused(asyncssh.Error):
    """Report that the host took none of the ways to log in."""

    def __init__(self, reason: str) -> None:
        """Keep the whole message as the reason."""
        super().__init__(asyncssh.DISC_NO_MORE_AUTH_METHODS_AVAILABLE, reason)


class Login(asyncssh.SSHClient):
    """Offer each way to log in once: the keys, then the password."""

    def __init__(self, keys: list[Any], password: str | None) -> None:
        """Offer `keys`, in their order, and the password."""
        self._password = password
        self._keys = list(keys)
        self._tried = ["none"]

    def public_key_auth_requested(self) -> Any:
        """Hand over all keys the first time."""
        keys, self._keys = self._keys, []
        if keys:
            self._tried.append("publickey")
        return keys or None

    def password_auth_requested(self) -> str | None:
        """Hand over the password the first time."""
        return self._once("password", self._password)

    def kbdint_auth_requested(self) -> str | None:
        """Agree to be asked, if there is a password to answer with."""
        return None if self._once("keyboard-interactive", self._password) is None else ""

    def kbdint_challenge_received(self, name: str, instructions: str, lang: str, prompts: Any) -> list[str]:
        """Answer every question with the password."""
        return [self._password or "" for _ in prompts]

    def refused(self) -> Refused:
        """Say what was tried, in the official plugin's words."""
        return Refused(
            f"ssh: unable to authenticate, attempted methods [{' '.join(self._tried)}], no supported methods remain"
        )

    def _once(self, method: str, answer: str | None) -> str | None:
        if answer is None or method in self._tried:
            return None
        self._tried.append(method)
        return answer


@contextlib.asynccontextmanager
async def open_identity(to: Credentials) -> AsyncIterator[list[Any]]:
    """Give the private key, then the agent's keys. Raises PluginError where the key can't be read.

    An agent that doesn't answer matters only where it is the one way to log in.
    """
    keys: list[Any] = [] if to.private_key is None else [_private_key(to.private_key, to.private_key_password)]
    path = to.agent_socket_path or os.environ.get("SSH_AUTH_SOCK")
    async with contextlib.AsyncExitStack() as stack:
        if path:
            try:
                agent = await stack.enter_async_context(await asyncssh.connect_agent(path))
                keys += await agent.get_keys()
            except (OSError, ValueError) as error:
                if not keys and to.password is None:
                    raise PluginError(f"the SSH agent at {path} does not answer: {error}") from None
        yield keys


def host_key_options(host_key: str | None) -> dict[str, Any]:
    """Give asyncssh's options that trust this one key, or, as with the official plugin, any where none is given."""
    if not host_key:
        return {"known_hosts": None}
    try:
        key = asyncssh.import_public_key(host_key)
    except asyncssh.KeyImportError:
        raise PluginError(
            "ssh: no key found: hostKey is not one line of OpenSSH's, such as ssh-ed25519 AAAA…"
        ) from None
    family = "rsa-sha2-" if key.get_algorithm() == "ssh-rsa" else key.get_algorithm()
    algorithms = sorted(HOST_KEY_ALGORITHMS, key=lambda algorithm: not algorithm.startswith(family))
    return {"known_hosts": ([key], [], []), "server_host_key_algs": algorithms}


def _private_key(text: str, password: str | None) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(text, password)
    except asyncssh.KeyEncryptionError as error:
        raise PluginError(f"privateKeyPassword doesn't open privateKey: {error}") from None
    except asyncssh.KeyImportError as error:
        if "assphrase" in str(error):
            raise PluginError("ssh: this private key is passphrase protected: set privateKeyPassword") from None
        raise PluginError("ssh: no key found") from None


def describe(error: Exception, host: str, endpoint: str) -> str:
    """Say why a try failed, in the official plugin's words."""
    if isinstance(error, asyncssh.Error):
        return _describe_ssh(error)
    if isinstance(error, socket.gaierror):
        return f"dial tcp: lookup {host}: {error.strerror or error}"
    if isinstance(error, OSError) and error.errno:
        return f"dial tcp {endpoint}: connect: {os.strerror(error.errno).lower()}"
    reason = "i/o timeout" if isinstance(error, TimeoutError) else str(error)
    return f"dial tcp {endpoint}: {reason}"


def _describe_ssh(error: asyncssh.Error) -> str:
    if isinstance(error, asyncssh.ChannelOpenError):
        return f"ssh: rejected: {error.reason}"
    reason = error.reason
    if isinstance(error, asyncssh.HostKeyNotVerifiable) or "host key algorithm" in reason:
        reason = "ssh: host key mismatch"
    elif isinstance(error, asyncssh.ConnectionLost):
        reason = "EOF"
    return f"ssh: handshake failed: {reason}"
