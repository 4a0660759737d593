"""The component for programs in other languages than Python: a Pulumi component package, whose schema is schema.json.

Source: https://www.pulumi.com/docs/iac/guides/building-extending/components/build-a-component/
"""

# Annotations are objects here, not text: the schema is read from them.
from importlib.metadata import version

import pulumi

from infra.components import machine
from infra.components.machine import MachineArgs

NAME = "mctl"
VERSION = version(NAME)


class Machine(machine.Machine):
    """A Docker host, and all that a client needs to reach its daemon over TLS."""

    def __init__(self, name: str, args: MachineArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, opts, **args)
