"""The engine scripts on real hosts: real sshd, apt, systemd, dockerd and TLS."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.components.engine import version_in
from infra.components.engine_scripts.configure import configure
from infra.machine import EngineSpec
from tests.certificates import Authority
from tests.container_hosts import ContainerHosts
from tests.hosts.rig import Done, Rig

DISTRO = EngineSpec(install="distro")
# A program that sleeps and the libraries it needs, as an image: nothing can be pulled here.
TINY = "tar -C / -ch usr/bin/sleep $(ldd /usr/bin/sleep | grep -o '/[^ ]*') | docker import - tiny >/dev/null"
MAIN_PID = "systemctl show -p MainPID --value docker.service"


@pytest.fixture
def bare(hosts: ContainerHosts, tmp_path: Path) -> Iterator[Rig]:
    host = hosts.start()
    yield Rig(host, tmp_path)
    hosts.remove(host)


@pytest.fixture
def with_docker(hosts: ContainerHosts, tmp_path: Path) -> Iterator[Rig]:
    host = hosts.start(docker_installed=True)
    host.exec("systemctl is-system-running --wait", check=False)
    yield Rig(host, tmp_path)
    hosts.remove(host)


def errors(done: Done) -> tuple[str, str]:
    """Give the one error and the one mending step that a failed script prints."""
    assert done.returncode not in (0, 255), done.stderr
    said = [line.removeprefix("mctl-error: ") for line in done.stderr.splitlines() if line.startswith("mctl-error: ")]
    mend = [line.removeprefix("mctl-mend: ") for line in done.stderr.splitlines() if line.startswith("mctl-mend: ")]
    assert (len(said), len(mend)) == (1, 1), done.stderr
    return said[0], mend[0]


def test_a_bare_host_gets_an_engine_that_is_started_once_and_answers_to_its_own_clients_alone(bare: Rig) -> None:
    configured = bare.apply(DISTRO)
    version = version_in(configured.stdout)
    assert configured.stdout == f"engine-version: {version}\n"
    assert bare.docker("version", "--format", "{{.Server.Version}}").stdout.strip() == version
    assert bare.starts() == 1
    assert bare.host.exec("systemctl is-enabled docker.service") == "enabled"
    assert bare.host.exec("stat -c '%a %U' /etc/docker/server-key.pem") == "600 root"
    assert bare.host.exec("ls -A /usr/sbin/policy-rc.d /etc/docker/.mctl-new 2>/dev/null || true") == ""
    stranger = Authority().client()
    assert bare.docker("version", client=stranger).returncode != 0
    with pytest.raises((ssl.SSLError, OSError)):
        _request_without_certificate(bare)
    assert bare.server.key.splitlines()[1] not in configured.stderr + bare.host.exec("cat /var/log/mctl-engine.log")


def _request_without_certificate(rig: Rig) -> bytes:
    import http.client

    context = ssl.create_default_context(cadata=rig.authority.cert)
    connection = http.client.HTTPSConnection(rig.host.address, 2376, context=context, timeout=10)
    connection.request("GET", "/version")
    return connection.getresponse().read()


def test_a_second_run_changes_nothing_and_leaves_containers_running(bare: Rig) -> None:
    bare.apply(DISTRO)
    bare.host.exec(TINY)
    container = bare.host.exec("docker run -d --network none tiny /usr/bin/sleep 1000")
    before = bare.host.exec(f"{MAIN_PID}; stat -c '%i %Y' /etc/docker/daemon.json /etc/docker/*.pem")
    again = bare.apply(DISTRO)
    assert bare.host.exec(f"{MAIN_PID}; stat -c '%i %Y' /etc/docker/daemon.json /etc/docker/*.pem") == before
    assert bare.host.exec("docker ps -q --no-trunc") == container
    assert "starting" not in again.stderr


def test_a_new_certificate_restarts_the_daemon_once_with_it(bare: Rig) -> None:
    bare.apply(DISTRO)
    before = bare.starts()
    bare.authority = Authority("another CA")
    renewed = bare.configure(DISTRO, server=bare.authority.server(bare.host.address))
    assert renewed.returncode == 0, renewed.stderr
    assert bare.starts() == before + 1
    assert bare.docker("version").returncode == 0


def test_an_engine_that_is_there_is_kept_and_put_behind_tls(with_docker: Rig) -> None:
    before = with_docker.host.exec("stat -c '%i %Z' /usr/sbin/dockerd")
    for install_as in ("auto", "docker", "none"):
        kept = with_docker.install(EngineSpec(install=install_as))
        assert kept.returncode == 0, kept.stderr
        assert "is there already" in kept.stderr
    assert with_docker.configure(EngineSpec()).returncode == 0
    assert with_docker.host.exec("stat -c '%i %Z' /usr/sbin/dockerd") == before
    assert with_docker.docker("version").returncode == 0


def test_settings_arrive_whatever_they_hold(with_docker: Rig) -> None:
    spec = EngineSpec(
        labels=("tier=web", "odd=a 'b' \"c\" $HOME %n `id` \\"),
        registry_mirrors=("https://mirror.example.test/",),
        insecure_registries=("registry.example.test:5000",),
        opts=("log-driver=local", "debug", "label=more=yes", "default-shm-size=32m"),
        env=("HTTP_PROXY=http://user%20name@proxy.example.test:3128/?a=\"b'$c", "NO_PROXY=localhost"),
        storage_driver="overlay2",
    )
    with_docker.apply(spec)
    info = with_docker.info()
    assert set(info["Labels"]) == {*spec.labels, "more=yes", "provider=generic"}  # type: ignore[call-overload]
    registries = info["RegistryConfig"]
    assert registries["Mirrors"] == ["https://mirror.example.test/"]  # type: ignore[index]
    assert "registry.example.test:5000" in registries["IndexConfigs"]  # type: ignore[index]
    assert (info["LoggingDriver"], info["Debug"], info["Driver"]) == ("local", True, "overlay2")
    environment = with_docker.host.exec(f"tr '\\0' '\\n' </proc/$({MAIN_PID})/environ").splitlines()
    assert set(spec.env) <= set(environment)
    fewer = with_docker.configure(EngineSpec())
    assert fewer.returncode == 0, fewer.stderr
    assert with_docker.info()["Labels"] == ["provider=generic"]


@pytest.mark.parametrize("labels", [(), ("tier=web",)])
def test_the_hosts_own_daemon_json_stays_as_it_is(with_docker: Rig, labels: tuple[str, ...]) -> None:
    theirs = '{\n  "log-opts": {"labels": "x"}, "log-driver": "json-file", "default-shm-size": "16m"\n}\n'
    with_docker.host.write("/etc/docker/daemon.json", theirs)
    spec = EngineSpec(labels=labels, registry_mirrors=("https://mirror.example.test/",))
    with_docker.apply(spec)
    assert with_docker.host.exec("cat /etc/docker/daemon.json") == theirs.strip()
    assert set(with_docker.info()["Labels"]) == {*labels, "provider=generic"}  # type: ignore[call-overload]
    before = with_docker.starts()
    with_docker.apply(spec)
    assert with_docker.starts() == before


def test_labels_in_the_hosts_own_daemon_json_win_over_the_providers(with_docker: Rig) -> None:
    with_docker.host.write("/etc/docker/daemon.json", '{"labels": ["rack=7"]}')
    with_docker.apply(EngineSpec())
    assert with_docker.info()["Labels"] == ["rack=7"]


def test_what_was_added_to_our_daemon_json_by_hand_survives_a_new_certificate(with_docker: Rig) -> None:
    with_docker.apply(EngineSpec())
    edited = '{"labels": ["provider=generic"], "default-shm-size": "16m"}'
    with_docker.host.write("/etc/docker/daemon.json", edited)
    renewed = with_docker.configure(EngineSpec(), server=with_docker.authority.server(with_docker.host.address))
    assert renewed.returncode == 0, renewed.stderr
    assert with_docker.host.exec("cat /etc/docker/daemon.json") == edited
    said, mend = errors(with_docker.configure(EngineSpec(labels=("new=1",))))
    assert "/etc/docker/daemon.json was changed on the host" in said
    assert "mctl ssh box sudo rm /etc/docker/daemon.json" in mend


def test_a_user_with_sudo_gets_the_engine_and_may_use_it(bare: Rig) -> None:
    bare.apply(DISTRO, user="deploy")
    assert bare.docker("version").returncode == 0
    assert bare.host.ssh("docker ps", user="deploy").returncode == 0


def test_a_user_without_sudo_is_told_so_and_nothing_is_touched(bare: Rig) -> None:
    said, mend = errors(bare.install(DISTRO, user="guest"))
    assert said == "the user guest is not root and can't use sudo without a password"
    assert "NOPASSWD" in mend
    assert bare.host.exec("ls /var/log/mctl-engine.log /etc/docker 2>/dev/null || true") == ""


def test_apt_that_reaches_no_source_is_told_with_its_own_words(bare: Rig) -> None:
    bare.host.exec("rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/*")
    bare.host.write("/etc/apt/sources.list", "deb http://127.0.0.1:9/debian bookworm main\n")
    bare.host.exec("rm -f /etc/apt/sources.list.d/*")
    failed = bare.install(DISTRO)
    said, mend = errors(failed)
    assert said.startswith("docker.io can't be installed on Debian GNU/Linux 12 (bookworm): E: ")
    assert "mctl up" in mend
    assert "127.0.0.1:9" in bare.host.exec("cat /var/log/mctl-engine.log")
    assert bare.host.exec("ls /usr/sbin/policy-rc.d 2>/dev/null || true") == ""


def test_an_option_that_dockerd_refuses_is_told_with_the_journals_words(with_docker: Rig) -> None:
    failed = with_docker.configure(EngineSpec(opts=("no-such-option=1",)))
    said, mend = errors(failed)
    assert said == "Docker Engine does not start: Status: unknown flag: --no-such-option"
    assert "mctl ssh box sudo journalctl -u docker" in mend
    mended = with_docker.configure(EngineSpec())
    assert mended.returncode == 0, mended.stderr
    assert with_docker.docker("version").returncode == 0


def test_an_unknown_system_is_refused_by_its_name(bare: Rig) -> None:
    bare.host.exec("rm /etc/os-release")
    bare.host.write("/etc/os-release", 'ID=plan9\nPRETTY_NAME="Plan 9 from Bell Labs"\n')
    said, mend = errors(bare.install(EngineSpec()))
    assert said.startswith("Plan 9 from Bell Labs is not a system that Docker can be installed on")
    assert "--engine-install none" in mend


def test_install_none_on_a_host_without_docker_is_an_error(bare: Rig) -> None:
    said, mend = errors(bare.install(EngineSpec(install="none")))
    assert "there is no Docker Engine on the host" in said
    assert "--engine-install" in mend


def test_a_version_that_is_not_there_is_refused_with_those_that_are(bare: Rig) -> None:
    said, mend = errors(bare.install(EngineSpec(install="distro", version="99.1")))
    assert said.startswith("there is no version 99.1 of docker.io for Debian")
    assert "; there is: 20.10.24+dfsg1" in said
    assert "--engine-version" in mend


def test_a_version_that_is_there_is_installed_and_held(bare: Rig) -> None:
    configured = bare.apply(EngineSpec(install="distro", version="20.10"))
    assert version_in(configured.stdout).startswith("20.10.")
    assert bare.host.exec("apt-mark showhold") == "docker.io"
    assert "is there already" in bare.install(EngineSpec(install="distro", version="20.10")).stderr


def test_auto_uses_the_distributions_packages_where_docker_com_cannot_be_reached(bare: Rig) -> None:
    bare.host.exec("echo '127.0.0.1 download.docker.com' >>/etc/hosts")
    installed = bare.install(EngineSpec())
    assert installed.returncode == 0, installed.stderr
    assert "mctl-notice: the host can't reach download.docker.com" in installed.stderr
    assert bare.host.exec("dpkg-query -W -f '${Status}' docker.io") == "install ok installed"


def test_an_install_that_was_killed_is_finished_by_the_next(bare: Rig) -> None:
    bare.host.exec(
        "mkdir -p /etc/docker; : >/etc/docker/.mctl-installing; cd /var/cache/apt/archives;"
        "dpkg --unpack libdevmapper*.deb dmsetup*.deb tini*.deb runc*.deb containerd*.deb iptables*.deb docker.io*.deb",
        check=False,
    )
    assert "not-installed" not in bare.host.exec("dpkg-query -W -f '${db:Status-Status}' docker.io")
    configured = bare.apply(DISTRO)
    assert version_in(configured.stdout)
    assert bare.host.exec("dpkg-query -W -f '${Status}' docker.io") == "install ok installed"


def test_certificates_that_did_not_arrive_leave_the_daemon_as_it_was(with_docker: Rig) -> None:
    with_docker.apply(EngineSpec())
    before = with_docker.host.exec(MAIN_PID)
    cut = with_docker.host.ssh(configure(EngineSpec(), "box", "generic"), stdin="mctl-file ca.pem\n-----BEGIN")
    assert "did not get all of ca.pem" in errors(cut)[0]
    assert with_docker.host.exec(MAIN_PID) == before
