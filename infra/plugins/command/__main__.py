"""Serve the `command` package: what the engine starts as `pulumi-resource-command`.

Source: https://www.pulumi.com/registry/packages/command/api-docs/
"""

from __future__ import annotations

from infra.plugins.command.copy import CopyToRemote
from infra.plugins.command.local import LocalCommand, run_function
from infra.plugins.command.remote import RemoteCommand
from infra.plugins.server import Plugin, serve

VERSION = "1.2.1"  # of the official plugin that this one answers like

PLUGIN = Plugin(
    version=VERSION,
    resources={
        "command:local:Command": LocalCommand(),
        "command:remote:Command": RemoteCommand(),
        "command:remote:CopyToRemote": CopyToRemote(),
    },
    # The official plugin also takes output values; it learns nothing from them that secret marks don't say.
    configure={"acceptSecrets": True, "supportsPreview": True, "acceptResources": True},
    invokes={"command:local:run": run_function},
    # The library behind the official plugin leaves its version in the provider's state; without it that would change.
    provider_inputs={"__pulumi-go-provider-version": "v1.5.0"},
)


def main() -> None:
    """Serve until the engine ends this process."""
    serve(PLUGIN)


if __name__ == "__main__":
    main()
