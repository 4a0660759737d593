"""Feed recorded plugin calls to a servicer, as real protobuf messages."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, NoReturn

import grpc
from google.protobuf import json_format
from pulumi.runtime.proto import provider_pb2

from infra.plugins.server import Servicer

RECORDINGS = Path(__file__).parents[3] / "recordings"
REQUESTS: dict[str, Any] = {
    "CheckConfig": provider_pb2.CheckRequest,
    "DiffConfig": provider_pb2.DiffRequest,
    "Configure": provider_pb2.ConfigureRequest,
    "Check": provider_pb2.CheckRequest,
    "Diff": provider_pb2.DiffRequest,
    "Create": provider_pb2.CreateRequest,
    "Read": provider_pb2.ReadRequest,
    "Update": provider_pb2.UpdateRequest,
    "Delete": provider_pb2.DeleteRequest,
    "Invoke": provider_pb2.InvokeRequest,
}


class CallError(Exception):
    """The status and text that a call ended with."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(f"{code}: {details}")
        self.code = code
        self.details = details


class Context:
    """The part of a gRPC context that the servicer uses."""

    async def abort(self, code: grpc.StatusCode, details: str) -> NoReturn:
        raise CallError(code, details)


def calls(name: str) -> list[dict[str, Any]]:
    """Load recorded calls: step, call, request, response or errors."""
    return [json.loads(line) for line in (RECORDINGS / name).read_text().splitlines()]


def label(record: dict[str, Any]) -> str:
    """Name a recorded call in the test's id."""
    return f"{record['step']}-{record['call']}-{record['request'].get('urn', '').rpartition('::')[2]}"


def message(call: str, request: dict[str, Any]) -> Any:
    """Build a call's request."""
    return json_format.ParseDict(request, REQUESTS[call]())


def answer(servicer: Servicer, call: str, request: dict[str, Any]) -> dict[str, Any]:
    """Call the servicer and give its response as JSON; raises CallError."""
    response = asyncio.run(getattr(servicer, call)(message(call, request), Context()))
    answered: dict[str, Any] = json_format.MessageToDict(response)
    return answered
