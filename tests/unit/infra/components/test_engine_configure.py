"""What the configure script writes: settings, units and certificates, whatever the user's values hold."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from infra.components.engine_scripts.configure import certificates, configure, configure_as_root, split_opts
from infra.errors import UsageError
from infra.machine import EngineSpec
from tests.unit.infra.components.scratch_host import ScratchHost

HOSTILE = "a 'b' \"c\" $HOME `id` $(id) \\ %n ; | & * ~ #"
PEM = "-----BEGIN X-----\n{}\n-----END X-----\n"
ALPINE = "ID=alpine\n"
LISTENING = "  0: 00000000:0948 00000000:0000 0A 00000000:00000000\n"
TLS = [
    "--host=tcp://0.0.0.0:2376",
    "--tlsverify",
    "--tlscacert=/etc/docker/ca.pem",
    "--tlscert=/etc/docker/server.pem",
    "--tlskey=/etc/docker/server-key.pem",
]


def openrc_host(tmp_path: Path) -> ScratchHost:
    host = ScratchHost(tmp_path / "root", ALPINE)
    host.write("proc/net/tcp", LISTENING)
    host.write("etc/conf.d/docker", 'DOCKER_OPTS="--log-level=warn"\n')
    host.program("dockerd", {"--version": "echo 'Docker version 28.3.3, build abc'"})
    host.program("docker", {"*version*": "echo 28.3.3", "*info*ContainersRunning*": "echo 0 inactive"})
    host.program(
        "rc-service", {"'docker restart'": f": >{host.root}/up", "'--quiet docker status'": f"[ -e {host.root}/up ]"}
    )
    host.program("rc-update", {"'show default'": "echo nothing", "'add docker default'": "true"})
    return host


def pems(server: str = "server", env: tuple[str, ...] = ()) -> str:
    return certificates(PEM.format("ca"), PEM.format(server), PEM.format("key"), env=env)


def apply(host: ScratchHost, spec: EngineSpec, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return host.run(configure_as_root(spec, "box", "generic"), stdin or pems(env=spec.env))


def daemon_arguments(host: ScratchHost) -> list[str]:
    """Read DOCKER_OPTS as OpenRC does: the file is sourced, and the value evaluated once more."""
    script = '. "$1"; eval "set -- $DOCKER_OPTS"; for word; do printf "%s\\0" "$word"; done'
    shown = subprocess.run(
        ["sh", "-c", script, "sh", str(host.root / "etc/conf.d/docker")], capture_output=True, text=True, check=True
    )
    return shown.stdout.replace(f"{host.root}/", "/").split("\0")[:-1]


def test_openrc_gets_flags_environment_and_certificates(tmp_path: Path) -> None:
    host = openrc_host(tmp_path)
    spec = EngineSpec(opts=(f"log-opt=tag={HOSTILE}", "debug"), env=(f"ODD={HOSTILE}",), labels=(f"odd={HOSTILE}",))
    done = apply(host, spec)
    assert (done.returncode, done.stdout) == (0, "engine-version: 28.3.3\n"), done.stderr
    ours = ["-H", "unix:///var/run/docker.sock", *TLS, f"--log-opt=tag={HOSTILE}", "--debug"]
    assert daemon_arguments(host) == ["--log-level=warn", *ours]
    assert json.loads(host.read("etc/docker/daemon.json")) == {"labels": [f"odd={HOSTILE}", "provider=generic"]}
    sourced = subprocess.run(
        ["sh", "-c", f'. {host.root}/etc/conf.d/docker; printf %s "$ODD"'], capture_output=True, text=True, check=True
    )
    assert sourced.stdout == HOSTILE
    assert host.read("etc/docker/server.pem") == PEM.format("server")
    key = host.root / "etc/docker/server-key.pem"
    assert (key.read_text(), key.stat().st_mode & 0o777) == (PEM.format("key"), 0o600)
    assert host.calls("rc-update")[-1] == "add docker default"


def test_a_second_run_on_openrc_restarts_nothing(tmp_path: Path) -> None:
    host = openrc_host(tmp_path)
    assert apply(host, EngineSpec()).returncode == 0
    before = host.read("etc/conf.d/docker")
    assert apply(host, EngineSpec()).returncode == 0
    assert host.read("etc/conf.d/docker") == before
    assert host.calls("rc-service").count("docker restart") == 1
    assert apply(host, EngineSpec(), pems("renewed")).returncode == 0
    assert host.calls("rc-service").count("docker restart") == 2


def test_a_run_that_was_stopped_before_its_restart_is_made_good_by_the_next(tmp_path: Path) -> None:
    host = openrc_host(tmp_path)
    host.program("rc-service", {"'docker restart'": "exit 1", "'--quiet docker status'": "true"})
    failed = apply(host, EngineSpec())
    assert failed.returncode == 1
    assert failed.stderr.count("mctl-error: Docker Engine does not start") == 1
    host.program("rc-service", {"'docker restart'": "true", "'--quiet docker status'": "true"})
    assert apply(host, EngineSpec()).returncode == 0
    assert host.calls("rc-service").count("docker restart") == 2


def test_settings_become_flags_beside_a_daemon_json_of_the_hosts_own(tmp_path: Path) -> None:
    host = openrc_host(tmp_path)
    host.write("etc/docker/daemon.json", '{"log-driver": "local"}')
    spec = EngineSpec(labels=(f"odd={HOSTILE}",), storage_driver="overlay2", insecure_registries=("r.example.test",))
    assert apply(host, spec).returncode == 0
    assert host.read("etc/docker/daemon.json") == '{"log-driver": "local"}'
    flags = ["--insecure-registry=r.example.test", "--storage-driver=overlay2", f"--label=odd={HOSTILE}"]
    assert daemon_arguments(host)[-4:] == [*flags, "--label=provider=generic"]


def test_an_engine_that_is_not_there_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    host = ScratchHost(tmp_path / "root", ALPINE)
    done = apply(host, EngineSpec())
    assert done.returncode == 1
    assert "mctl-error: there is no Docker Engine on the host" in done.stderr
    assert not (host.root / "etc/docker").exists()


@pytest.mark.parametrize("option", ["tlsverify", "tlskey=/x", "--tlscacert=/x", "config-file=/x"])
def test_options_that_would_undo_tls_are_refused(option: str) -> None:
    with pytest.raises(UsageError, match="is set by mctl"):
        configure(EngineSpec(opts=(option,)), "box", "generic")


@pytest.mark.parametrize("option", ["", "=x", "no such option", "$(id)=1", "a;b"])
def test_text_that_is_no_dockerd_option_is_refused(option: str) -> None:
    with pytest.raises(UsageError, match="is not a dockerd option"):
        configure(EngineSpec(opts=(option,)), "box", "generic")


def test_options_that_daemon_json_holds_are_never_flags_as_well() -> None:
    settings, flags = split_opts(
        EngineSpec(labels=("a=1",), opts=("label=b=2", "registry-mirror=https://m", "dns=1.1.1.1"))
    )
    assert settings["label"] == ["a=1", "b=2"]
    assert settings["registry-mirror"] == ["https://m"]
    assert flags == ["--dns=1.1.1.1"]


def test_a_provider_label_of_the_users_own_is_not_given_twice() -> None:
    script = configure_as_root(EngineSpec(labels=("provider=mine",)), "box", "generic")
    assert "provider=generic" not in script


def test_no_certificate_is_in_the_command_text() -> None:
    assert "PRIVATE KEY" not in configure(EngineSpec(), "box", "generic")


def test_no_environment_variable_is_in_the_command_text() -> None:
    assert "hunter2" not in configure(EngineSpec(env=("HTTP_PROXY=http://me:hunter2@proxy:3128",)), "box", "generic")
