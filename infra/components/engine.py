"""Docker Engine on a host, reachable over TLS alone."""

from __future__ import annotations

import re
from typing import Any

import pulumi
import pulumi_command as command

from infra.components.engine_scripts.configure import certificates, configure
from infra.components.engine_scripts.install import install, proxies
from infra.machine import EngineSpec

# Booting and installing under software emulation is what the longest of these is for.
INSTALL = pulumi.CustomTimeouts(create="25m", update="25m")
CONFIGURE = pulumi.CustomTimeouts(create="10m", update="10m")
# What a host that is switched off must not be asked to do again.
INPUTS = ["connection", "create", "stdin", "triggers"]


class Engine(pulumi.ComponentResource):
    """Install Docker Engine while certificates are signed, then configure and start it once.

    connection: how to reach the host. vm: what the engine is deleted with. instance_id: another host is installed
    anew, also at the same address. provider: told by the engine's label `provider=…`. port: where the daemon listens.
    running: False leaves the host, which is switched off, alone. Raises UsageError for an engine option that mctl sets
    itself.
    """

    engine_version: pulumi.Output[str]
    """The version that the daemon reports, such as `28.2.2`."""

    def __init__(
        self,
        name: str,
        *,
        spec: EngineSpec,
        connection: command.remote.ConnectionArgs,
        vm: pulumi.Resource,
        instance_id: pulumi.Input[str],
        ca_cert: pulumi.Input[str],
        server_cert: pulumi.Input[str],
        server_key: pulumi.Input[str],
        provider: str,
        port: int,
        running: bool = True,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("mctl:infra:Engine", f"{name}-engine", {}, opts)
        shared: dict[str, Any] = {"parent": self, "deleted_with": vm, "ignore_changes": None if running else INPUTS}
        given = proxies(spec.env)
        installed = _command(
            f"{name}-install",
            connection,
            instance_id,
            create=install(spec, name),
            stdin=pulumi.Output.secret(given) if given else None,
            opts=pulumi.ResourceOptions(**shared, depends_on=[vm], custom_timeouts=INSTALL),
        )
        # Secret, for the server's key is secret and all that is made of it.
        pems = pulumi.Output.all(ca_cert, server_cert, pulumi.Output.secret(server_key))
        configured = _command(
            f"{name}-configure",
            connection,
            instance_id,
            create=configure(spec, name, provider, port),
            stdin=pems.apply(lambda texts: certificates(*texts, env=spec.env)),
            opts=pulumi.ResourceOptions(**shared, depends_on=[installed], custom_timeouts=CONFIGURE),
        )
        # The certificates are secret input, so all of the command's output is marked secret: the version is none.
        self.engine_version = pulumi.Output.unsecret(configured.stdout.apply(version_in))
        self.register_outputs({"engineVersion": self.engine_version})


def _command(
    name: str, connection: command.remote.ConnectionArgs, instance_id: pulumi.Input[str], **more: Any
) -> command.remote.Command:
    return command.remote.Command(
        name,
        connection=connection,
        triggers=[instance_id],
        logging=command.remote.Logging.STDERR,
        add_previous_output_in_env=False,
        **more,
    )


def version_in(stdout: str) -> str:
    """Find the version in what the configure script printed, or nothing."""
    found = re.findall(r"^engine-version: (\S+)$", stdout or "", re.MULTILINE)
    return str(found[-1]) if found else ""
