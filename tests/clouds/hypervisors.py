"""What the stand-in hypervisors share: an image to start from, and a computer without their programs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.clouds.world import World

IMAGE_BYTES = 1024**2
WITHOUT_PROGRAMS = {"PATH": os.environ["PATH"]}


def serve(variable: str) -> Callable[[World], AbstractContextManager[dict[str, str]]]:
    """Give the environment of a computer with an image, which `variable` names."""

    @contextmanager
    def open_it(world: World) -> Iterator[dict[str, str]]:
        image = world.folder / "image.raw"
        image.write_bytes(bytes(IMAGE_BYTES))
        yield {variable: str(image)}

    return open_it
