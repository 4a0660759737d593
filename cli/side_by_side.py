"""Work on several stacks at once, in one forked process for each.

The Pulumi SDK runs programs, and we take signals, in a process's main thread only. Where nothing can be forked
(Windows) the stacks have their turns one after another.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Lock
from typing import Any

import psutil

from cli.output import fault, trace
from infra.errors import Interrupted, MctlError
from infra.stacks.progress import Progress

Report = Callable[[Progress], None]
Work = Callable[[str, Report], Any]
Outcome = tuple[str, Any]  # what the work gave, or its MctlError
SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
RUN_BYTES = 400 << 20  # what one run takes at its peak: this program, the Pulumi engine and its plugins
TELLING = Lock()  # the engine's events are told in a thread of their own
RUNS_PER_CPU = 2  # most of a run is waiting for a host


def run(groups: Sequence[Sequence[str]], work: Work, report: Report) -> Iterator[Outcome]:
    """Work on each name, groups at the same time and the names of one in turn; give each outcome when it is known.

    report: takes, in this process, every step that any of the work tells.
    A Ctrl-C, a polite kill and a closed terminal reach every process; what was not begun by then is not begun.
    """
    names = [name for group in groups for name in group]
    if len(groups) == 1 or not hasattr(os, "fork"):
        yield from _in_turn(names, lambda name: attempt(work, name, report))
        return
    missing = dict.fromkeys(names)
    with _Children() as children:
        for name, outcome in children.outcomes(deque(groups), work, report):
            del missing[name]
            yield name, outcome
        for name in missing:
            yield name, _unfinished(name, stopped=children.stopped)


def attempt(work: Work, name: str, report: Report) -> Any:
    """Work on one name and give what came of it, or its failure."""
    try:
        return work(name, report)
    except MctlError as error:
        return error


def _in_turn(names: Sequence[str], tried: Callable[[str], Any]) -> Iterator[Outcome]:
    stopped = False
    for name in names:
        outcome = _unfinished(name, stopped=True) if stopped else tried(name)
        stopped = isinstance(outcome, Interrupted)
        yield name, outcome


class _Children:
    """The processes that are at work. They are in sessions of their own, so that signals come from here alone."""

    def __init__(self) -> None:
        self.stopped = False
        self._running: dict[Connection, BaseProcess] = {}

    def __enter__(self) -> _Children:
        self._before = {number: signal.signal(number, self._stop) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        for child in self._running.values():
            child.join()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def outcomes(self, waiting: deque[Sequence[str]], work: Work, report: Report) -> Iterator[Outcome]:
        while self._running or (waiting and not self.stopped):
            while waiting and not self.stopped and len(self._running) < _most():
                self._start(waiting.popleft(), work)
            for ready in wait(list(self._running)):
                assert isinstance(ready, Connection)  # noqa: S101 - nothing else was waited for
                try:
                    said = ready.recv()
                except EOFError:
                    self._running.pop(ready).join()
                    continue
                if isinstance(said, Progress):
                    report(said)
                else:
                    yield said

    def _start(self, names: Sequence[str], work: Work) -> None:
        fork = get_context("fork")
        ours, theirs = fork.Pipe(duplex=False)
        with _signals_held():
            child = fork.Process(target=_be_child, args=(theirs, names, work))
            child.start()
            self._running[ours] = child
        theirs.close()

    def _stop(self, *_: object) -> None:
        self.stopped = True
        for child in self._running.values():
            if child.is_alive() and child.pid:
                os.kill(child.pid, signal.SIGINT)


def _be_child(outcomes: Connection, names: Sequence[str], work: Work) -> None:
    os.setsid()
    for number in SIGNALS:
        signal.signal(number, signal.default_int_handler)
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        for outcome in _in_turn(names, lambda name: _attempt_all(work, name, partial(_tell, outcomes))):
            outcomes.send(outcome)
    except (KeyboardInterrupt, BrokenPipeError):
        pass  # who started this knows, or is no more
    finally:
        sys.stderr.flush()
        os._exit(0)  # as main() does: the SDK's threads may wait for ever


def _tell(outcomes: Connection, step: Progress) -> None:
    with suppress(BrokenPipeError), TELLING:  # who started this may have been killed: the work goes on
        outcomes.send(step)


def _attempt_all(work: Work, name: str, report: Report) -> Any:
    """Attempt, and turn whatever else may happen into an error that can be sent."""
    try:
        return attempt(work, name, report)
    except KeyboardInterrupt:
        return Interrupted("stopped", machine=name)
    except Exception as error:
        return fault(error, debug=trace(sys.argv[1:]))


def _unfinished(name: str, *, stopped: bool) -> MctlError:
    if stopped:
        return Interrupted("stopped before it was begun", machine=name)
    return MctlError("its run ended without a word", machine=name, mend="run the same command again")


def _most() -> int:
    """Give how many runs this computer's processors and free memory bear at once."""
    return max(1, min(RUNS_PER_CPU * (os.cpu_count() or 1), psutil.virtual_memory().available // RUN_BYTES))


@contextmanager
def _signals_held() -> Iterator[None]:
    """Hold signals back while a child is not known here yet, and has not its own handlers."""
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
