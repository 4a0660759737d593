"""Reach hosts over SSH: dialing with patience, directly or through a proxy.

Source: https://www.pulumi.com/registry/packages/command/api-docs/remote/command/#connection
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import asyncssh

from infra.plugins.command.inputs import CONNECTION_DEFAULTS
from infra.plugins.command.login import Login, describe, host_key_options, open_identity
from infra.plugins.server import PluginError
from infra.plugins.wire import Properties

FIRST_DELAY = 0.1  # seconds, growing by half after each try
LONGEST_DELAY = 1.0
OFFICIAL_LONGEST_DELAY = 5.0
KEEPALIVE = 10.0  # seconds; a host that answers none of 3 is gone
CLOSE_TIMEOUT = 2.0


@dataclass(frozen=True, kw_only=True)
class Connection:
    """How to reach one host. port: a number. dial_error_limit: -1 for none. per_dial_timeout: seconds, 0 for none."""

    host: str
    user: str
    port: int
    dial_error_limit: int
    per_dial_timeout: float
    password: str | None = None
    private_key: str | None = None
    private_key_password: str | None = None
    agent_socket_path: str | None = None
    host_key: str | None = None
    proxy: Connection | None = None

    @classmethod
    def read(cls, given: Properties) -> Connection:
        """Read the plain `connection` input."""
        values = CONNECTION_DEFAULTS | {key: value for key, value in given.items() if value is not None}
        return cls(
            host=str(values["host"]),
            user=str(values["user"]),
            port=int(values["port"]),
            dial_error_limit=int(values["dialErrorLimit"]),
            per_dial_timeout=float(values["perDialTimeout"]),
            password=values.get("password"),
            private_key=values.get("privateKey"),
            private_key_password=values.get("privateKeyPassword"),
            agent_socket_path=values.get("agentSocketPath"),
            host_key=values.get("hostKey"),
            proxy=cls.read(values["proxy"]) if values.get("proxy") else None,
        )

    @property
    def endpoint(self) -> str:
        """Give host:port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Dialer:
    """Dial one host until it answers or patience ends. `last`: why the newest try failed."""

    def __init__(self, connection: Connection, log: Callable[..., Awaitable[None]]) -> None:
        """Log each failed try as a line that the next one replaces."""
        self._to = connection
        self._log = log
        self._proxy = Dialer(connection.proxy, log) if connection.proxy else None
        self._ssh: asyncssh.SSHClientConnection | None = None
        self.last = ""

    @contextlib.asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncssh.SSHClientConnection]:
        """Give an open connection and close it, and its proxy's, at the end. Raises PluginError."""
        try:
            yield await self._open()
        finally:
            await self._close()

    async def _open(self) -> asyncssh.SSHClientConnection:
        """Dial with the official plugin's patience: `dial_error_limit` failures and the time that they take it."""
        limit, failures, delay = self._to.dial_error_limit, 0, FIRST_DELAY
        given_up = time.monotonic() + _official_patience(limit)
        # What can't be read is not worth a second try.
        async with open_identity(self._to) as keys:
            while True:
                try:
                    return await self._dial_once(keys)
                except (OSError, asyncssh.Error) as error:
                    self.last = describe(error, self._to.host, self._to.endpoint)
                failures += 1
                if failures > limit >= 0 and time.monotonic() >= given_up:
                    raise PluginError(f"after {limit} failed attempts: {self.last}") from None
                shown = "inf" if limit < 0 else str(max(limit, failures))
                await self._log(f"Dial {failures}/{shown} failed: retrying: {self.last}", ephemeral=True)
                await asyncio.sleep(delay)
                delay = min(delay * 1.5, LONGEST_DELAY)

    async def _dial_once(self, keys: list[Any]) -> asyncssh.SSHClientConnection:
        tunnel = await self._proxy._reopened() if self._proxy else None
        async with asyncio.timeout(self._to.per_dial_timeout or None):
            self._ssh = await _handshake(self._to, keys, tunnel)
        return self._ssh

    async def _reopened(self) -> asyncssh.SSHClientConnection:
        if self._ssh is None or self._ssh.is_closed():
            return await self._open()
        return self._ssh

    async def _close(self) -> None:
        if self._ssh is not None:
            self._ssh.close()
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._ssh.wait_closed(), CLOSE_TIMEOUT)
        if self._proxy is not None:
            await self._proxy._close()


async def _handshake(to: Connection, keys: list[Any], tunnel: Any) -> asyncssh.SSHClientConnection:
    login = Login(keys, to.password)
    try:
        return await asyncssh.connect(
            to.host,
            to.port,
            tunnel=tunnel,
            config=None,
            client_factory=lambda: login,
            username=to.user,
            client_keys=None,
            agent_path=None,
            preferred_auth=("publickey", "password", "keyboard-interactive"),
            login_timeout=0,
            keepalive_interval=KEEPALIVE,
            keepalive_count_max=3,
            **host_key_options(to.host_key),
        )
    except asyncssh.PermissionDenied:
        raise login.refused() from None


def _official_patience(limit: int) -> float:
    """Give the seconds that the official plugin, whose delays grow to 5 seconds, would sleep between its tries."""
    return sum(min(FIRST_DELAY * 1.5**tried, OFFICIAL_LONGEST_DELAY) for tried in range(min(limit, 10_000)))
