"""mctl as a user has it: a home and a docker configuration of its own, and the real program."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.cli_runner import FOREIGN, PROGRAM, Ran
from tests.container_hosts import ContainerHost

REPOSITORY = Path(__file__).parents[2]


class Shop:
    """Run mctl and docker against one home."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.variables = {key: value for key, value in os.environ.items() if key not in FOREIGN} | {
            "MCTL_HOME": str(self.home),
            "DOCKER_CONFIG": str(folder / "docker"),
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "TERM": "dumb",
        }

    def mctl(self, *arguments: str, variables: Mapping[str, str] | None = None) -> Ran:
        """Run mctl to its end."""
        done = subprocess.run(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.variables | dict(variables or {}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Begin a run of mctl."""
        return subprocess.Popen(
            [PROGRAM, *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def with_programs(self) -> dict[str, str]:
        """Give the environment of a shell that finds mctl."""
        return self.variables | {"PATH": os.pathsep.join([str(Path(PROGRAM).parent), os.environ["PATH"]])}

    def docker(self, *arguments: str, stdin: bytes | None = None) -> str:
        """Run the docker client. Raises CalledProcessError."""
        done = subprocess.run(
            ["docker", *arguments], env=self.variables, input=stdin, capture_output=True, check=True, timeout=300
        )
        return done.stdout.decode().strip()

    def contexts(self) -> list[str]:
        """List the docker contexts that were made."""
        return sorted(set(self.docker("context", "ls", "--format", "{{.Name}}").split()) - {"default"})

    def inspect(self, name: str) -> dict[str, Any]:
        """Read a machine's record."""
        facts: dict[str, Any] = json.loads(self.mctl("inspect", name).out)
        return facts

    def is_old(self, name: str) -> bool:
        """Tell whether the stack state has changed since a record was written."""
        facts = json.loads((self.home / "machines" / name / "machine.json").read_text())
        return bool(Path(facts["state_file"]).stat().st_mtime_ns != facts["state_time"])

    def left(self) -> list[str]:
        """List what a removed machine must not leave: records, VMs, stacks, backups, locks, contexts, declarations."""
        state = self.home / "state" / ".pulumi"
        places = [self.home / "machines", self.home / "vms", *(state / part for part in ("stacks", "backups", "locks"))]
        files = [file for place in places if place.exists() for file in place.rglob("*") if file.is_file()]
        return sorted(str(file) for file in (*files, *self.home.glob("Pulumi.*.yaml"))) + self.contexts()


def options(host: ContainerHost, user: str = "root") -> list[str]:
    """Give the options that make a machine of a container host."""
    return [
        *("--provider", "generic", "--generic-ip-address", host.address, "--generic-ssh-user", user),
        *("--generic-ssh-key", str(host.private_key), "--ssh-host-key", host.host_key),
    ]


def tiny_image() -> bytes:
    """Make a container image's root file system of this computer's shell, for where nothing can be pulled."""
    made = subprocess.run([REPOSITORY / "tools" / "tiny-image.sh"], capture_output=True, check=True)
    return made.stdout
