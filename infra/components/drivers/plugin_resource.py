"""A resource of a plugin of our own, as a driver declares it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import pulumi

PLUGIN_VERSION = "0.1.0"


class PluginResource(pulumi.CustomResource):
    """One type. kind: `PLUGIN:index:TYPE`. computed: outputs that the plugin finds out. secrets: as it spells them."""

    kind: ClassVar[str]
    computed: ClassVar[tuple[str, ...]] = ()
    secrets: ClassVar[tuple[str, ...]] = ()

    def __init__(self, name: str, inputs: Mapping[str, Any], opts: pulumi.ResourceOptions | None = None) -> None:
        ours = pulumi.ResourceOptions(version=PLUGIN_VERSION, additional_secret_outputs=[*self.secrets])
        props = {**inputs, **dict.fromkeys(self.computed)}
        super().__init__(self.kind, name, props, pulumi.ResourceOptions.merge(opts, ours))

    def translate_input_property(self, prop: str) -> str:
        """Spell an input as the plugin does: `sshUser`."""
        return camel(prop)

    def translate_output_property(self, prop: str) -> str:
        """Spell an output as Python does: `ssh_port`."""
        return re.sub("[A-Z]", lambda found: f"_{found[0].lower()}", prop)


def camel(name: str) -> str:
    """Spell `ssh_user` as `sshUser`."""
    return re.sub("_(.)", lambda found: found[1].upper(), name)
