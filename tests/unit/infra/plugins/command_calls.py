"""Call the command plugin's servicer as the engine does, and hear what it logs."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from google.protobuf import empty_pb2, json_format

from infra.plugins.command.__main__ import PLUGIN
from infra.plugins.server import Servicer
from infra.plugins.wire import plain
from tests.sshd import Sshd
from tests.unit.infra.plugins.replay import Context, message

REMOTE = "urn:pulumi:dev::tests::command:remote:Command::job"
COPY = "urn:pulumi:dev::tests::command:remote:CopyToRemote::files"
LOCAL = "urn:pulumi:dev::tests::command:local:Command::job"


@dataclass
class Engine:
    """Stand at the engine's end: `Log` is what the servicer calls."""

    lines: list[str] = field(default_factory=list)
    heard: Callable[[str], None] = lambda _line: None

    async def Log(self, request: Any) -> Any:  # noqa: N802 - gRPC's name
        self.lines.append(request.message)
        self.heard(request.message)
        return empty_pb2.Empty()

    def servicer(self) -> Servicer:
        return Servicer(PLUGIN, self)  # type: ignore[arg-type]


def connection(server: Sshd, **changed: Any) -> dict[str, Any]:
    """The connection input for a server; None takes a setting out."""
    base = {
        "host": server.host,
        "port": server.port,
        "user": server.user,
        "privateKey": server.private_key,
        "hostKey": server.host_key,
        "dialErrorLimit": 2,
        "agentSocketPath": "",
    }
    return {key: value for key, value in (base | changed).items() if value is not None}


async def ask(servicer: Servicer, call: str, request: dict[str, Any]) -> dict[str, Any]:
    """Make one call; raises CallError."""
    response = await getattr(servicer, call)(message(call, request), Context())
    answered: dict[str, Any] = json_format.MessageToDict(response)
    return answered


def create(urn: str, properties: dict[str, Any], engine: Engine | None = None, timeout: float = 60) -> dict[str, Any]:
    """Create a resource and give its outputs, without secret marks; raises CallError."""
    servicer = (engine or Engine()).servicer()
    made = asyncio.run(ask(servicer, "Create", {"urn": urn, "properties": properties, "timeout": timeout}))
    outputs: dict[str, Any] = plain(made["properties"])
    return outputs


def update(urn: str, olds: dict[str, Any], news: dict[str, Any]) -> dict[str, Any]:
    """Update a resource and give its outputs; raises CallError."""
    request = {"urn": urn, "id": "job12345678", "olds": olds, "news": news}
    changed = asyncio.run(ask(Engine().servicer(), "Update", request))
    outputs: dict[str, Any] = plain(changed["properties"])
    return outputs


def delete(urn: str, olds: dict[str, Any]) -> None:
    """Delete a resource; raises CallError."""
    asyncio.run(ask(Engine().servicer(), "Delete", {"urn": urn, "id": "job12345678", "properties": olds}))


def gone(path: Path, within: float = 5) -> bool:
    """Tell whether the process whose id is in the file ends."""
    pid = path.read_text().strip()
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        state = subprocess.run(["ps", "-o", "stat=", "-p", pid], capture_output=True, text=True).stdout
        if not state or state.startswith("Z"):
            return True
        time.sleep(0.05)
    return False
