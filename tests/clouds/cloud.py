"""What the contract needs to know of a stand-in cloud."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from tests.clouds.world import World


@dataclass(frozen=True, kw_only=True)
class Cloud:
    """One provider's stand-in.

    plugins: name of a Pulumi plugin -> module in this folder whose PLUGIN is served. instances: the kind in the world
    that machines are. serve: runs its API, and gives the environment that leads there, credentials included.
    options: more for `create`. resize, resized: options of `set`, and what they make of the instance. zones: the first
    is full when the contract asks for it, and there is no spare capacity. spot: ask for some, or else for the full
    price. no_credentials: variables without which nobody gets in. programs: name of a
    program on PATH -> module in programs/ that stands in for it. is_local: no API that could be asked for orphans or
    answer 429. moves: a start gives another address.
    """

    provider: str
    plugins: Mapping[str, str]
    instances: str
    serve: Callable[[World], AbstractContextManager[dict[str, str]]]
    options: tuple[str, ...] = ()
    resize: tuple[str, ...] = ()
    resized: Mapping[str, Any] = field(default_factory=dict)
    zones: tuple[str, ...] = ()
    spot: tuple[str, ...] = ()
    no_credentials: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, str] = field(default_factory=dict)
    is_local: bool = False
    moves: bool = True
