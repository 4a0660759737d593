"""Serve one stand-in cloud as the Pulumi engine starts it: `python -m tests.clouds.serve MODULE ENGINE_ADDRESS`.

Each call of the engine is noted in the world, and is as slow as the world says.
"""

from __future__ import annotations

import asyncio
import functools
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from importlib import import_module
from typing import Any

from infra.plugins.server import Plugin, serve
from tests.clouds.world import World

ASKED, AWAITED = ("check", "diff"), ("create", "read", "update", "delete")


def watched(plugin: Plugin) -> Plugin:
    """Have every call of a plugin's resources and invokes noted."""
    for kind in plugin.resources.values():
        name = type(kind).__name__
        for verb in ASKED:
            setattr(kind, verb, _noted(f"{verb} {name}", getattr(kind, verb)))
        for verb in AWAITED:
            setattr(kind, verb, _awaited(f"{verb} {name}", getattr(kind, verb)))
    return replace(plugin, invokes={token: _awaited(f"invoke {token}", of) for token, of in plugin.invokes.items()})


def _noted(call: str, work: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(work)
    def noted(*given: Any) -> Any:
        with World.here().engine_call(call):
            return work(*given)

    return noted


def _awaited(call: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(work)
    async def noted(*given: Any) -> Any:
        world = World.here()
        with world.engine_call(call):
            await asyncio.sleep(world.fault("latency") or 0)
            return await work(*given)

    return noted


if __name__ == "__main__":
    serve(watched(import_module(f"tests.clouds.{sys.argv.pop(1)}").PLUGIN))
