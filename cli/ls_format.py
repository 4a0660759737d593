"""What `ls` prints of each machine: the fields that docker-machine's templates know, and ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cli.go_template import Struct, Template
from cli.output import named, table
from infra.stacks import config_json
from infra.stacks.listing import Listed

TABLE = "table"
DEFAULT = (
    r"table {{.Name}}\t{{.Active}}\t{{.DriverName}}\t{{.State}}\t{{.URL}}\t{{.Swarm}}\t{{.DockerVersion}}\t{{.Error}}"
)
HEADERS = {
    "Name": "NAME",
    "Active": "ACTIVE",
    "ActiveHost": "ACTIVE_HOST",
    "ActiveSwarm": "ACTIVE_SWARM",
    "DriverName": "DRIVER",
    "State": "STATE",
    "URL": "URL",
    "SwarmOptions": "SWARM_OPTIONS",
    "Swarm": "SWARM",
    "EngineOptions": "ENGINE_OPTIONS",
    "Error": "ERRORS",
    "DockerVersion": "DOCKER",
    "ResponseTime": "RESPONSE",
    "Stack": "STACK",
    "CertificateExpiry": "CERTIFICATE_EXPIRY",
}


class Form:
    """A `--format`: a template for each machine; `table` before it adds a header and sets columns."""

    def __init__(self, text: str) -> None:
        self._is_table = text.startswith(TABLE)
        line = text.removeprefix(TABLE).strip(" ").replace(r"\t", "\t").replace(r"\n", "\n")
        self._template = Template(line + "\n")

    def text(self, machines: Sequence[Listed]) -> str:
        """Print the machines. Raises TemplateError."""
        lines = [self._template.render(_fields(machine)) for machine in machines]
        if not self._is_table:
            return "".join(lines)
        rows = "".join([self._template.render(HEADERS), *lines]).splitlines()
        return table([row.split("\t") for row in rows])


def facts(machine: Listed) -> dict[str, Any]:
    """Give what --json says of a machine."""
    return {key: value for key, value in vars(machine).items() if key != "record"}


def _fields(machine: Listed) -> Struct:
    record, seconds = machine.record, machine.milliseconds / 1000
    return Struct(
        Name=machine.name,
        Active="*" if machine.active else "-",
        ActiveHost=machine.active,
        ActiveSwarm=False,
        DriverName=machine.driver,
        State=machine.state,
        URL=machine.url,
        SwarmOptions=record and config_json.swarm_options(),
        Swarm=machine.swarm,
        EngineOptions=record and config_json.engine_options(record),
        Error=named(" ".join(machine.error.split())),
        DockerVersion=f"v{machine.docker_version}" if machine.docker_version else "Unknown",
        ResponseTime=f"{seconds:g}s" if seconds >= 1 else f"{machine.milliseconds}ms",
        Stack=machine.stack,
        CertificateExpiry=machine.certificate_expiry,
    )
