"""The engine scripts on a container host, over plain ssh: what mctl does there, without mctl."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from infra.components.engine_scripts.configure import certificates, configure
from infra.components.engine_scripts.install import install, proxies
from infra.components.engine_scripts.upgrade import upgrade
from infra.machine import EngineSpec
from tests.certificates import Authority, Pair
from tests.container_hosts import ContainerHost

Done = subprocess.CompletedProcess[str]


class Rig:
    """A host, an authority, and the two scripts over SSH."""

    def __init__(self, host: ContainerHost, folder: Path) -> None:
        self.host, self.folder, self.authority = host, folder, Authority()
        self.server = self.authority.server(host.address, "localhost")

    def install(self, spec: EngineSpec, user: str = "root") -> Done:
        return self.host.ssh(install(spec, "box"), user=user, stdin=proxies(spec.env))

    def configure(self, spec: EngineSpec, user: str = "root", server: Pair | None = None) -> Done:
        pair = server or self.server
        pems = certificates(self.authority.cert, pair.cert, pair.key, env=spec.env)
        return self.host.ssh(configure(spec, "box", "generic"), user=user, stdin=pems)

    def upgrade(self, spec: EngineSpec) -> Done:
        return self.host.ssh(upgrade(spec, "box"))

    def apply(self, spec: EngineSpec, user: str = "root") -> Done:
        installed = self.install(spec, user)
        assert installed.returncode == 0, installed.stderr
        configured = self.configure(spec, user)
        assert configured.returncode == 0, configured.stderr
        return configured

    def docker(self, *arguments: str, client: Pair | None = None) -> Done:
        """Run the docker client here, against the host's port 2376 by TLS."""
        pair = client or self.authority.client()
        for name, text in (("ca.pem", self.authority.cert), ("cert.pem", pair.cert), ("key.pem", pair.key)):
            (self.folder / name).write_text(text)
        tls = ["--tlsverify", *(f"--tls{k}={self.folder}/{k}.pem" for k in ("cert", "key"))]
        tls += [f"--tlscacert={self.folder}/ca.pem", "-H", f"tcp://{self.host.address}:2376"]
        return subprocess.run(["docker", *tls, *arguments], capture_output=True, text=True, check=False, timeout=60)

    def info(self) -> dict[str, object]:
        info: dict[str, object] = json.loads(self.docker("info", "--format", "{{json .}}").stdout)
        return info

    def starts(self) -> int:
        """Count how often the daemon was started since the host booted."""
        return int(
            self.host.exec("journalctl -u docker.service -o cat | grep -c '^Starting docker.service'", check=False)
        )
