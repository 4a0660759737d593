"""A place of stack states, asked without opening any stack."""

from __future__ import annotations

import json
from pathlib import Path

from pulumi import automation as auto

from infra.stacks import pulumi_program, shared, state_files
from infra.stacks.home import home
from infra.stacks.progress import Report, Watcher
from infra.stacks.store import AGAIN
from infra.stacks.store.process import Engine
from infra.stacks.store.workspace import environment, install_official


class Backend:
    """Ask what the URL holds for the project folder. Raises StackError for what can't be reached, when it is asked."""

    def __init__(self, folder: Path, url: str, report: Report) -> None:
        self._folder, self._report = folder, report
        found = pulumi_program.find_pulumi(lambda _line: None, install_official)
        self._engine = Engine(found.path, found.version)
        self._env = environment(folder) | {"PULUMI_HOME": home("pulumi"), state_files.VARIABLE: url}

    def stacks(self) -> list[str]:
        """List the stacks of the project."""
        return [stack["name"] for stack in json.loads(self._pulumi("stack", "ls", "--json"))]

    def declaration(self, stack: str) -> str:
        """Give the text of the stack's file as its last update had it; empty where there was none."""
        try:
            return shared.published(lambda *words: self._run(*words, "--stack", stack), self._folder, stack)
        except auto.CommandError as error:
            raise self._failure(error) from error

    def _pulumi(self, *arguments: str) -> str:
        try:
            return self._run(*arguments)
        except auto.CommandError as error:
            raise self._failure(error) from error

    def _run(self, *arguments: str) -> str:
        return self._engine.run(list(arguments), str(self._folder), self._env).stdout

    def _failure(self, error: auto.CommandError) -> Exception:
        return Watcher([], self._report).failure(str(error), AGAIN, interrupted=self._engine.interrupted)
