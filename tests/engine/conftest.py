"""The real Pulumi engine, in a home of its own, with our plugins in place of the official ones."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from pulumi import automation as auto

from infra.errors import PreCreateError
from infra.stacks import pulumi_program as program

REPOSITORY = Path(__file__).parents[2]
PLUGINS = ("command", "hypervisor", "tls")

NewStack = Callable[..., auto.Stack]


@pytest.fixture(scope="session")
def pulumi_program() -> Path:
    """The `pulumi` program that mctl itself would use; without one the test is skipped."""
    try:
        return program.look().path.resolve()
    except PreCreateError as error:
        pytest.skip(f"{error.message}: make setup")


@pytest.fixture(scope="module")
def plugin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `pulumi-resource-NAME` for each plugin that we serve, as the engine looks for them on PATH."""
    folder = tmp_path_factory.mktemp("plugins")
    for name in PLUGINS:
        module = f"infra.plugins.{name}"
        if importlib.util.find_spec(f"{module}.__main__") is None:
            continue
        program = folder / f"pulumi-resource-{name}"
        program.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m {module} "$@"\n')
        program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def pulumi_home(pulumi_program: Path, plugin_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home and file backend for the engine; this process's environment points at them meanwhile."""
    home = tmp_path_factory.mktemp("pulumi")
    (home / "backend").mkdir()
    (plugin_folder / "pulumi").symlink_to(pulumi_program)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("PATH", f"{plugin_folder}{os.pathsep}{os.environ['PATH']}")
        environment.setenv("PULUMI_HOME", str(home))
        environment.setenv("PULUMI_BACKEND_URL", f"file://{home / 'backend'}")
        environment.setenv("PULUMI_CONFIG_PASSPHRASE", "for tests only")
        environment.setenv("PULUMI_SKIP_UPDATE_CHECK", "true")
        environment.setenv("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "true")
        environment.delenv("PULUMI_ACCESS_TOKEN", raising=False)
        yield home


@pytest.fixture(scope="module")
def new_stack(pulumi_home: Path) -> NewStack:
    """Make a stack of an inline program: `new_stack("name", program, project="p")`."""

    def make(name: str, program: Callable[[], None], project: str = "test") -> auto.Stack:
        return auto.create_stack(name, project_name=project, program=program)

    return make
