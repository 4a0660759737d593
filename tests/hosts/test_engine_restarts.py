"""Containers while the scripts restart the engine: they go on, and nothing is left of how."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.machine import EngineSpec
from tests.container_hosts import ContainerHost
from tests.hosts.rig import Rig
from tests.hosts.test_engine_on_container_host import MAIN_PID, TINY, errors

LEFT = "ls -A /etc/docker | grep -E 'resting|fresh|restart-due' || true"
LIVE_RESTORE = "docker info --format '{{.LiveRestoreEnabled}}'"


@pytest.fixture(scope="module")
def rig(host: ContainerHost, tmp_path_factory: pytest.TempPathFactory) -> Rig:
    host.exec("systemctl is-system-running --wait", check=False)
    rig = Rig(host, tmp_path_factory.mktemp("restarts"))
    rig.apply(EngineSpec())
    host.exec(TINY)
    return rig


@pytest.fixture
def started(rig: Rig) -> Iterator[str]:
    """When the one container was started, as the daemon tells it."""
    container = rig.host.exec("docker run -d --name kept --network none tiny /usr/bin/sleep 1000")
    yield rig.host.exec(f"docker inspect --format '{{{{.State.StartedAt}}}} {{{{.State.Pid}}}}' {container}")
    rig.host.exec("docker rm --force kept", check=False)


def now(rig: Rig) -> str:
    return rig.host.exec("docker inspect --format '{{.State.StartedAt}} {{.State.Pid}}' kept")


def test_a_container_outlives_the_restart_for_new_settings_and_nothing_is_left_of_how(rig: Rig, started: str) -> None:
    before = rig.host.exec(MAIN_PID)
    rig.apply(EngineSpec(labels=("tier=web",)))
    assert rig.host.exec(MAIN_PID) != before
    assert now(rig) == started
    assert rig.host.exec(LIVE_RESTORE) == "false"
    assert "live-restore" not in rig.host.exec("cat /etc/docker/daemon.json")
    assert rig.host.exec(LEFT) == ""


@pytest.mark.parametrize("theirs", ['{\n  "default-shm-size": "16m"\n}', '{"live-restore": true}'])
def test_a_container_outlives_it_under_a_daemon_json_of_the_hosts_own_which_stays(
    rig: Rig, started: str, theirs: str
) -> None:
    rig.host.exec("rm -f /etc/docker/.mctl-daemon.json")
    rig.host.write("/etc/docker/daemon.json", theirs)
    rig.host.exec("systemctl reload docker")
    rig.apply(EngineSpec(env=(f"X={len(theirs)}",)))
    assert now(rig) == started
    assert rig.host.exec("cat /etc/docker/daemon.json") == theirs
    assert rig.host.exec(LIVE_RESTORE) == ("true" if "live" in theirs else "false")
    rig.host.exec("docker rm --force kept; rm /etc/docker/daemon.json")
    rig.apply(EngineSpec())


def test_a_container_outlives_the_switch_to_live_restore_and_the_switch_back(rig: Rig, started: str) -> None:
    for spec, enabled in ((EngineSpec(opts=("live-restore",)), "true"), (EngineSpec(), "false")):
        rig.apply(spec)
        assert now(rig) == started
        assert rig.host.exec(LIVE_RESTORE) == enabled
        assert rig.host.exec(LEFT) == ""


def test_a_run_that_was_killed_with_the_daemon_down_keeps_containers_all_the_same(rig: Rig, started: str) -> None:
    failed = rig.configure(EngineSpec(opts=("no-such-option=1",)))
    assert "does not start" in errors(failed)[0]
    assert "resting" in rig.host.exec(LEFT)
    rig.apply(EngineSpec())
    assert now(rig) == started
    assert rig.host.exec(LIVE_RESTORE) == "false"
    assert rig.host.exec(LEFT) == ""
