"""A stack as the Automation API has it, opened so that runs at the same time don't meet."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from pulumi import automation as auto

from infra.stacks import served_plugins, state_files
from infra.stacks.home import home
from infra.stacks.store.process import Engine


class Opened(auto.Stack):
    """Leave out what an `up` looks up afterwards and nobody reads: each is one more engine process."""

    def outputs(self) -> auto.OutputMap:
        """Look nothing up."""
        return {}

    def info(self, show_secrets: bool = False) -> auto.UpdateSummary:  # noqa: FBT001, FBT002 - the SDK's signature
        """Look nothing up."""
        del show_secrets
        return auto.UpdateSummary("update", datetime.now(UTC), "", {}, {}, "succeeded")

    def every_output(self) -> dict[str, Any]:
        """Read the stack's outputs, secrets included."""
        return dict(json.loads(self.pulumi("stack", "output", "--json", "--show-secrets")))

    def pulumi(self, *arguments: str, text: str = "") -> str:
        """Run one command of the engine on this stack, with a text for it to read."""
        return cast(Workspace, self.workspace).pulumi(*arguments, "--stack", self.name, text=text)


class Workspace(auto.LocalWorkspace):
    """Open stacks without making any of them the folder's current one: that file is shared by all runs."""

    def create_stack(self, stack_name: str) -> None:
        """Make a stack."""
        provider = ["--secrets-provider", self.secrets_provider] if self.secrets_provider else []
        self.pulumi("stack", "init", stack_name, "--no-select", *provider)

    def select_stack(self, stack_name: str) -> None:
        """Make sure that a stack is there. Raises StackNotFoundError."""
        self.pulumi("stack", "--stack", stack_name, "--show-name")

    def pulumi(self, *arguments: str, text: str = "") -> str:
        """Run one command of the engine in the project folder, and give what it printed."""
        env = {"PULUMI_HOME": self.pulumi_home or "", **self.env_vars}
        return cast(Engine, self.pulumi_command).run(list(arguments), self.work_dir, env, text=text).stdout


def environment(folder: Path) -> dict[str, str]:
    """Give what the engine and its plugins need to know."""
    return {
        "MCTL_HOME": home(),
        "PATH": os.pathsep.join([served_plugins.path_prefix(), os.environ.get("PATH", "")]),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_SUPPRESS_NEO_LINK": "true",
        "PULUMI_OPTION_REMOVE_BACKUPS": "true",  # old checkpoints hold the removed stack's keys
        state_files.VARIABLE: state_files.backend(folder),
    }


def install_official(root: Path) -> None:
    """Install Pulumi's own release into a folder."""
    auto.PulumiCommand.install(root=str(root))
