"""What a stand-in cloud has: resources and faults, in a folder that its plugin, its API and the test share."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

VARIABLE = "MCTL_TEST_CLOUD"
Facts = dict[str, Any]


class EngineCall(NamedTuple):
    """One call of the engine to a plugin: `create Droplet`. Times: seconds of one clock for all processes."""

    what: str
    began: float
    ended: float


class World:
    """Keep resources by kind and id. A fault is a number that says how often it still strikes, or a list."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    @classmethod
    def here(cls) -> World:
        """Open the world that the environment names: a plugin's."""
        return cls(Path(os.environ[VARIABLE]))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep others waiting: what is checked and then made must not be made twice."""
        with (self.folder / "lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def put(self, kind: str, id: str, facts: Facts) -> None:  # noqa: A002 - the field's word
        file = self.folder / kind / f"{id.replace('/', '%')}.json"
        file.parent.mkdir(exist_ok=True)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({**facts, "id": id}))
        fresh.rename(file)

    def get(self, kind: str, id: str) -> Facts | None:  # noqa: A002
        file = self.folder / kind / f"{id.replace('/', '%')}.json"
        return dict(json.loads(file.read_text())) if file.exists() else None

    def every(self, kind: str) -> list[Facts]:
        """List all of a kind, oldest first."""
        files = sorted((self.folder / kind).glob("*.json"), key=lambda file: file.stat().st_mtime_ns)
        return [json.loads(file.read_text()) for file in files]

    def edit(self, kind: str, id: str, **facts: Any) -> None:  # noqa: A002
        """Have someone change a resource by hand."""
        self.put(kind, id, {**(self.get(kind, id) or {}), **facts})

    def drop(self, kind: str, id: str) -> None:  # noqa: A002
        (self.folder / kind / f"{id.replace('/', '%')}.json").unlink(missing_ok=True)

    def left(self) -> list[str]:
        """List all resources, as `kind/id`."""
        return sorted(f"{file.parent.name}/{file.stem}" for file in self.folder.glob("*/*.json"))

    def number(self) -> int:
        """Give a number that nothing had before."""
        with self.alone():
            file = self.folder / "number"
            number = int(file.read_text()) + 1 if file.exists() else 1001
            file.write_text(str(number))
            return number

    def set_fault(self, name: str, value: Any) -> None:
        """Have a fault strike.

        `storm`: so many calls get 429; `full`: zones without room; `limit`: of instances; `latency`: seconds of a call.
        """
        with self.alone():
            self._write_faults({**self._faults(), name: value})

    def fault(self, name: str) -> Any:
        """Give a fault's value."""
        return self._faults().get(name)

    def strikes(self, name: str) -> bool:
        """Tell whether a fault that is counted strikes now, and count it."""
        with self.alone():
            left = int(self._faults().get(name) or 0)
            if left:
                self._write_faults({**self._faults(), name: left - 1})
            return left > 0

    def count(self, call: str) -> None:
        """Note a call of the API."""
        with self.alone(), (self.folder / "calls").open("a") as file:
            file.write(f"{call}\n")

    def calls(self) -> list[str]:
        """List the calls so far."""
        file = self.folder / "calls"
        return file.read_text().split("\n")[:-1] if file.exists() else []

    @contextmanager
    def engine_call(self, what: str) -> Iterator[None]:
        """Note a call of the engine to a plugin."""
        began = time.monotonic()
        yield
        line = json.dumps(EngineCall(what, began, time.monotonic()))
        with self.alone(), (self.folder / "engine").open("a") as file:
            file.write(f"{line}\n")

    def engine_calls(self) -> list[EngineCall]:
        """List those that went well so far."""
        file = self.folder / "engine"
        return [EngineCall(*json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []

    def _faults(self) -> Facts:
        file = self.folder / "faults"
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def _write_faults(self, faults: Facts) -> None:
        fresh = self.folder / f"faults.{os.getpid()}"
        fresh.write_text(json.dumps(faults))
        fresh.rename(self.folder / "faults")
