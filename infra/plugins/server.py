"""Serve resources to the Pulumi engine as a plugin.

The engine starts `pulumi-resource-NAME ENGINE_ADDRESS`, reads a port from its standard output, and calls it by gRPC.
`pulumi.provider.experimental` is not used: it always claims a detailed diff and puts tracebacks into users' errors, so
state made by the official plugins could not preview as unchanged.
Source: https://github.com/pulumi/pulumi/blob/master/proto/pulumi/provider.proto
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import grpc
from google.protobuf import empty_pb2

from infra.plugins import SHARED
from infra.plugins.protocol import engine_pb2, engine_pb2_grpc, plugin_pb2, provider_pb2, provider_pb2_grpc
from infra.plugins.wire import Properties, from_struct, to_struct

MAX_MESSAGE = 400 * 1024 * 1024  # the engine's own limit
CANCEL_GRACE = 10.0  # seconds a cancelled operation gets to clean up
PARENT_POLL = 1.0  # seconds between two looks at whether the engine still lives


@dataclass(frozen=True)
class Operation:
    """One call of the engine about one resource.

    olds: the outputs in the stack state. old_inputs: its inputs there. news: the checked new inputs.
    timeout: seconds, 0 for none. log: sends a line to the user (`await op.log("text", ephemeral=True)`).
    """

    urn: str
    id: str = ""
    olds: Properties = field(default_factory=dict)
    old_inputs: Properties = field(default_factory=dict)
    news: Properties = field(default_factory=dict)
    ignore_changes: tuple[str, ...] = ()
    preview: bool = False
    timeout: float = 0
    log: Callable[..., Awaitable[None]] = field(default=lambda *_a, **_k: _nothing())

    @property
    def name(self) -> str:
        """Give the resource's name: the last part of its URN."""
        return self.urn.rpartition("::")[2]


@dataclass(frozen=True)
class Diff:
    """Say what changed: property names, and those that force a replacement. `detailed`: path -> PropertyDiff kind."""

    diffs: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    changes: bool | None = None  # None: the diffs say it
    detailed: Mapping[str, Any] | None = None
    delete_before_replace: bool = False
    stables: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckFailure:
    """Refuse an input: its property name (may be empty) and the reason."""

    property: str
    reason: str


class PluginError(Exception):
    """Fail an operation with a message meant for the user."""


class Resource(ABC):
    """Implement one resource type."""

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Give the inputs with defaults, and what is wrong with them."""
        return op.news, []

    @abstractmethod
    def diff(self, op: Operation) -> Diff:
        """Compare the state with the new inputs."""

    @abstractmethod
    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it: its id and outputs. In a preview: no id, and unknowns for what isn't known."""

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Give the current outputs and inputs, or None where it is gone."""
        return op.olds, op.old_inputs

    async def update(self, op: Operation) -> Properties:
        """Change it in place: its new outputs."""
        raise PluginError(f"{op.name} can't be updated in place")

    async def delete(self, op: Operation) -> None:
        """Delete it; succeed where it is gone already."""


@dataclass(frozen=True)
class Plugin:
    """Describe a plugin: version, resource types by token, invokes, and what Configure answers.

    provider_inputs: what CheckConfig adds to the provider's own inputs in the stack state.
    """

    version: str
    resources: Mapping[str, Resource]
    configure: Mapping[str, bool]
    schema: Callable[[], str] = lambda: "{}"
    invokes: Mapping[str, Callable[[Properties], Awaitable[Properties]]] = field(default_factory=dict)
    provider_inputs: Mapping[str, str] = field(default_factory=dict)


async def _nothing() -> None:
    return None


class Servicer(provider_pb2_grpc.ResourceProviderServicer):
    """Translate the engine's gRPC calls."""

    def __init__(self, plugin: Plugin, engine: engine_pb2_grpc.EngineStub | None, *, shared: bool = False) -> None:
        """Answer for `plugin`; `engine` takes log lines, None drops them. shared: one's Cancel is not for all."""
        self._plugin = plugin
        self._engine = engine
        self._shared = shared
        self._running: set[asyncio.Task[Any]] = set()
        self._cancelled = False

    def _log(self, urn: str) -> Callable[..., Awaitable[None]]:
        async def log(text: str, *, severity: Any = engine_pb2.INFO, ephemeral: bool = False) -> None:
            if self._engine is not None:
                with contextlib.suppress(grpc.RpcError):
                    await cast(Any, self._engine).Log(
                        engine_pb2.LogRequest(severity=severity, message=text, urn=urn, ephemeral=ephemeral)
                    )

        return log

    async def _guard(self, context: Any, work: Awaitable[Any]) -> Any:
        """Run one operation so that Cancel reaches it and a failure becomes one clear message.

        Also one that the engine had under way to here when it cancelled: nobody would cancel it again.
        """
        task = asyncio.ensure_future(work)
        self._running.add(task)
        if self._cancelled:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            await context.abort(grpc.StatusCode.CANCELLED, "canceled")
        except PluginError as error:
            await context.abort(grpc.StatusCode.UNKNOWN, str(error))
        except Exception as error:
            logging.getLogger(__name__).exception("unexpected failure")
            await context.abort(grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}")
        finally:
            self._running.discard(task)

    def _resource(self, urn: str) -> Resource:
        token = urn.split("::")[2].rpartition("$")[2]
        if token not in self._plugin.resources:
            raise PluginError(f"this plugin has no resource {token}")
        return self._plugin.resources[token]

    async def GetPluginInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell the version."""
        return plugin_pb2.PluginInfo(version=self._plugin.version)

    async def GetSchema(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Give the package schema as JSON."""
        return provider_pb2.GetSchemaResponse(schema=self._plugin.schema())

    async def Handshake(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Leave to the engine's older way of connecting."""
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, "Handshake is not implemented")

    async def Attach(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Let an engine in that did not start this plugin."""
        return empty_pb2.Empty()

    async def CheckConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Take any provider config as it is."""
        response = provider_pb2.CheckResponse(inputs=request.news)
        response.inputs.update(self._plugin.provider_inputs)
        return response

    async def DiffConfig(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Report no change of provider config: a version alone never replaces anything."""
        return provider_pb2.DiffResponse()

    async def Configure(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Tell what this plugin understands."""
        return provider_pb2.ConfigureResponse(**self._plugin.configure)

    async def Invoke(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Call a function of the package."""

        async def work() -> Any:
            function = self._plugin.invokes.get(request.tok)
            if function is None:
                raise PluginError(f"this plugin has no function {request.tok}")
            returned: dict[str, Any] = {"return": to_struct(await function(from_struct(request.args)))}
            return provider_pb2.InvokeResponse(**returned)

        return await self._guard(context, work())

    async def Check(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Fill in defaults and refuse bad inputs."""

        async def work() -> Any:
            op = Operation(urn=request.urn, old_inputs=from_struct(request.olds), news=from_struct(request.news))
            inputs, failures = self._resource(request.urn).check(op)
            return provider_pb2.CheckResponse(
                inputs=to_struct(inputs),
                failures=[provider_pb2.CheckFailure(property=f.property, reason=f.reason) for f in failures],
            )

        return await self._guard(context, work())

    async def Diff(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Compare the state with the new inputs."""

        async def work() -> Any:
            op = Operation(
                urn=request.urn,
                id=request.id,
                olds=from_struct(request.olds),
                old_inputs=from_struct(request.old_inputs),
                news=from_struct(request.news),
                ignore_changes=tuple(request.ignoreChanges),
            )
            return diff_response(self._resource(request.urn).diff(op))

        return await self._guard(context, work())

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Make a resource."""

        async def work() -> Any:
            op = Operation(
                urn=request.urn,
                news=from_struct(request.properties),
                preview=request.preview,
                timeout=request.timeout,
                log=self._log(request.urn),
            )
            made, properties = await self._resource(request.urn).create(op)
            return provider_pb2.CreateResponse(id=made, properties=to_struct(properties))

        return await self._guard(context, work())

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Look at a resource as it is now."""

        async def work() -> Any:
            op = Operation(
                urn=request.urn,
                id=request.id,
                olds=from_struct(request.properties),
                old_inputs=from_struct(request.inputs),
                log=self._log(request.urn),
            )
            found = await self._resource(request.urn).read(op)
            if found is None:
                return provider_pb2.ReadResponse()
            return provider_pb2.ReadResponse(id=request.id, properties=to_struct(found[0]), inputs=to_struct(found[1]))

        return await self._guard(context, work())

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Change a resource in place."""

        async def work() -> Any:
            op = Operation(
                urn=request.urn,
                id=request.id,
                olds=from_struct(request.olds),
                old_inputs=from_struct(request.old_inputs),
                news=from_struct(request.news),
                ignore_changes=tuple(request.ignoreChanges),
                preview=request.preview,
                timeout=request.timeout,
                log=self._log(request.urn),
            )
            return provider_pb2.UpdateResponse(properties=to_struct(await self._resource(request.urn).update(op)))

        return await self._guard(context, work())

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Delete a resource."""

        async def work() -> Any:
            op = Operation(
                urn=request.urn,
                id=request.id,
                olds=from_struct(request.properties),
                old_inputs=from_struct(request.old_inputs),
                timeout=request.timeout,
                log=self._log(request.urn),
            )
            await self._resource(request.urn).delete(op)
            return empty_pb2.Empty()

        return await self._guard(context, work())

    async def Cancel(self, request: Any, context: Any) -> Any:  # noqa: N802
        """Cancel what runs and what still comes, and wait until it has cleaned up."""
        if self._shared:
            return empty_pb2.Empty()
        self._cancelled = True
        running = list(self._running)
        for task in running:
            task.cancel()
        if running:
            await asyncio.wait(running, timeout=CANCEL_GRACE)
        return empty_pb2.Empty()


def diff_response(diff: Diff) -> Any:
    """Write a Diff as the engine's message."""
    changes = bool(diff.diffs or diff.replaces) if diff.changes is None else diff.changes
    response = provider_pb2.DiffResponse(
        changes=provider_pb2.DiffResponse.DIFF_SOME if changes else provider_pb2.DiffResponse.DIFF_NONE,
        diffs=diff.diffs,
        replaces=diff.replaces,
        stables=diff.stables,
        deleteBeforeReplace=diff.delete_before_replace,
        hasDetailedDiff=diff.detailed is not None,
    )
    for path, kind in (diff.detailed or {}).items():
        response.detailedDiff[path].kind = kind
    return response


async def _serve(plugin: Plugin, engine_address: str | None, *, shared: bool) -> None:
    options = [("grpc.max_receive_message_length", MAX_MESSAGE), ("grpc.max_send_message_length", MAX_MESSAGE)]
    engine = None
    if engine_address:
        engine = engine_pb2_grpc.EngineStub(grpc.aio.insecure_channel(engine_address, options=options))
    server = grpc.aio.server(options=options)
    servicer = Servicer(plugin, engine, shared=shared)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    stop = asyncio.Event()
    watch = asyncio.create_task(_orphaned(os.getppid(), stop))
    with contextlib.suppress(NotImplementedError):  # Windows has no signal handlers on its loop
        # The engine gives plugins a process group of their own, so that no Ctrl-C reaches them: SIGINT is the engine's
        # word that it needs this one no more.
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    await stop.wait()
    watch.cancel()
    await servicer.Cancel(None, None)
    await server.stop(grace=1)


async def _orphaned(engine: int, stop: asyncio.Event) -> None:
    """End with the engine, also where it was killed and could not say so.

    engine: its pid, looked up before it hears of the port: it may be killed as soon as that.
    """
    while os.getppid() == engine:
        await asyncio.sleep(PARENT_POLL)
    stop.set()


def serve(plugin: Plugin) -> None:
    """Serve until the engine ends this process. Arguments: the engine's address, then flags, which are ignored.

    SHARED in place of an address: serve all engines that attach themselves, until who started this ends it.
    """
    addresses = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
    asyncio.run(_serve(plugin, addresses[0] if addresses else None, shared=SHARED in sys.argv[1:]))
