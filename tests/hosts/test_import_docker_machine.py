"""Machines of docker-machine taken over: their containers and their store never notice."""

from __future__ import annotations

import json
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.container_hosts import ContainerHost
from tests.docker_machine_store import DROP_IN, DockerMachineStore
from tests.hosts.shop import Shop, tiny_image


class Taken:
    """A host that docker-machine provisioned, with a container on it, and its store."""

    def __init__(self, folder: Path, host: ContainerHost, days: int) -> None:
        self.shop, self.host = Shop(folder), host
        self.store = DockerMachineStore(folder / "store", days)
        self.store.add("web-1", host.address, host.private_key)
        host.exec("rm -f /etc/docker/*.json /etc/docker/.mctl* /etc/systemd/system/docker.service.d/10-mctl.conf")
        self.store.provision(host, "web-1")
        self.before = self.store.content()
        self.shop.variables["MACHINE_STORAGE_PATH"] = str(self.store.folder)

    def daemon_answers(self) -> bool:
        """Ask through the context; a daemon that is just restarting gets a while."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            with suppress(subprocess.CalledProcessError):
                return bool(self.shop.docker("--context", "web-1", "version", "--format", "{{.Server.Version}}"))
            time.sleep(0.5)
        return False

    def host_state(self) -> tuple[str, ...]:
        """Say what must not change on the host: the daemon's process, its files, and what runs."""
        return (
            self.host.exec("systemctl show -p MainPID docker"),
            self.host.exec("find /etc/docker /etc/systemd/system/docker.service.d -type f | sort | xargs sha256sum"),
            self.host.exec("docker ps --no-trunc --quiet"),
        )


@pytest.fixture(scope="module")
def taken(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Taken:
    """A machine whose certificates have a year left, imported."""
    taken = Taken(tmp_path_factory.mktemp("docker-machine"), host, days=400)
    taken.shop.docker("-H", f"tcp://{host.address}:2376", *tls(taken), "import", "-", "tiny", stdin=tiny_image())
    host.exec("docker run -d --name kept --network none tiny /bin/sleep 3000")
    before = taken.host_state()
    ran = taken.shop.mctl("import", "--ssh-host-key", host.host_key)
    assert (ran.code, ran.out) == (0, 'Imported machine "web-1".\n'), ran.err
    assert taken.host_state() == before
    return taken


def tls(taken: Taken) -> list[str]:
    certs = taken.store.folder / "certs"
    return ["--tlsverify", *(f"--tls{k}={certs}/{k}.pem" for k in ("cert", "key")), f"--tlscacert={certs}/ca.pem"]


def container_start(host: ContainerHost) -> str:
    return host.exec("docker inspect --format '{{.State.StartedAt}} {{.State.Running}}' kept")


def kill_after(seconds: float, shop: Shop, *command: str) -> None:
    run = shop.start(*command)
    time.sleep(seconds)
    run.kill()
    run.communicate()


def test_an_imported_machine_is_reached_by_context_reads_and_ssh(taken: Taken, host: ContainerHost) -> None:
    shop = taken.shop
    assert shop.docker("--context", "web-1", "ps", "--format", "{{.Names}}") == "kept"
    assert shop.mctl("url", "web-1").out == f"tcp://{host.address}:2376\n"
    assert shop.mctl("ssh", "web-1", "hostname").out == f"{host.container}\n"
    facts = shop.inspect("web-1")
    assert facts["provider"] == "generic"
    assert facts["labels"] == {"tier": "web", "provider": "generic"}
    assert facts["engine_version"] == host.exec("docker version --format '{{.Server.Version}}'").strip()


def test_the_old_store_is_never_written_and_may_go(taken: Taken) -> None:
    assert taken.store.content() == taken.before
    hidden = taken.store.folder.with_name("gone")
    taken.store.folder.rename(hidden)
    try:
        assert taken.shop.mctl("preview", "web-1").out == "no changes\n"
        assert taken.shop.mctl("refresh", "web-1").code == 0
        assert taken.shop.mctl("ssh", "web-1", "true").code == 0
    finally:
        hidden.rename(taken.store.folder)


def test_no_private_key_is_in_clear_in_the_declaration_or_the_state(taken: Taken) -> None:
    home = taken.shop.home
    files = [home / "Pulumi.web-1.yaml", *(file for file in (home / "state").rglob("*") if file.is_file())]
    assert [str(file) for file in files if b"PRIVATE KEY" in file.read_bytes()] == []


def test_importing_again_changes_nothing(taken: Taken) -> None:
    before = taken.host_state()
    ran = taken.shop.mctl("import", "--ssh-host-key", taken.host.host_key)
    assert (ran.code, ran.out, ran.err) == (0, 'Imported machine "web-1".\n', "(web-1) is here already\n")
    assert taken.host_state() == before


def test_regenerate_certs_changes_over_to_our_own_authority_also_where_it_is_killed(
    taken: Taken, host: ContainerHost
) -> None:
    since = container_start(host)
    for seconds in (1.5, 4.0, 6.0):
        kill_after(seconds, taken.shop, "regenerate-certs", "-y", "web-1")
        assert taken.daemon_answers(), seconds
    ran = taken.shop.mctl("regenerate-certs", "-y", "web-1")
    assert (ran.code, ran.out) == (0, 'Regenerated the TLS certificates of machine "web-1".\n'), ran.err
    assert taken.daemon_answers()
    labels = json.loads(taken.shop.docker("--context", "web-1", "info", "--format", "{{json .Labels}}"))
    assert sorted(labels) == ["provider=generic", "tier=web"]
    assert "adopted" not in (taken.shop.home / "Pulumi.web-1.yaml").read_text()
    assert host.exec(f"test -e {DROP_IN} && echo there").strip() == "there"
    assert taken.shop.mctl("preview", "web-1").out == "no changes\n"
    assert container_start(host) == since, ran.err
    assert taken.shop.mctl("regenerate-certs", "-y", "--ca", "web-1").code == 0
    assert taken.daemon_answers()
    assert container_start(host) == since, ran.err


def test_rm_forgets_the_machine_and_leaves_host_and_store(taken: Taken, host: ContainerHost) -> None:
    assert taken.shop.mctl("rm", "-y", "web-1") == (0, "Successfully removed web-1\n", "")
    assert taken.shop.left() == []
    assert host.exec("systemctl is-active docker").strip() == "active"
    assert taken.store.content() == taken.before


def test_a_machine_whose_certificates_have_ended_comes_back_over_ssh(tmp_path: Path, host: ContainerHost) -> None:
    ended = Taken(tmp_path, host, days=-3)
    ran = ended.shop.mctl("import", "--ssh-host-key", "accept-new")
    assert ran.code == 0, ran.err
    assert "mctl regenerate-certs web-1 renews them over SSH\n" in ran.err
    assert ended.shop.mctl("regenerate-certs", "-y", "web-1").code == 0
    assert ended.shop.docker("--context", "web-1", "version", "--format", "{{.Server.Version}}")


def test_in_a_home_that_is_the_store_itself_docker_machines_own_files_stay(tmp_path: Path, host: ContainerHost) -> None:
    shared = Taken(tmp_path, host, days=400)
    shared.shop.variables["MCTL_HOME"] = str(shared.store.folder)
    folder = shared.store.folder / "machines" / "web-1"
    kept = ("config.json", "id_rsa", "id_rsa.pub", "server.pem", "server-key.pem", "cert.pem", "key.pem")
    before = {name: (folder / name).read_bytes() for name in kept}
    ran = shared.shop.mctl("import", "--ssh-host-key", host.host_key)
    assert ran.code == 0, ran.err
    assert {name: (folder / name).read_bytes() for name in kept} == before
    assert shared.shop.mctl("ls", "-q").out == "web-1\n"
    assert shared.shop.mctl("ssh", "web-1", "hostname").out == f"{host.container}\n"
    assert shared.shop.mctl("rm", "-y", "web-1").code == 0
    assert shared.shop.mctl("ls", "-q").out == ""
    assert {file.name for file in folder.iterdir()} == set(kept) - {"cert.pem", "key.pem"}


def test_an_import_that_is_killed_anywhere_is_gone_on_with(tmp_path: Path, host: ContainerHost) -> None:
    killed = Taken(tmp_path, host, days=400)
    command = ["import", "--ssh-host-key", host.host_key]
    for seconds in (1.5, 3.0):
        kill_after(seconds, killed.shop, *command)
    ran = killed.shop.mctl(*command)
    assert ran.code == 0, ran.err
    assert killed.daemon_answers()
    assert killed.shop.mctl("preview", "web-1").out == "no changes\n"
    assert killed.shop.mctl("rm", "-y", "web-1").code == 0
    assert killed.shop.left() == []
