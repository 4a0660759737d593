"""A create that is stopped at every step, politely or not: create again finishes it, and rm clears it."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options

STEPS = (
    "(box) Making keys and certificates",
    "(box) installing docker.io",
    "(box) writing the engine's settings and certificates",
    "starting Docker Engine",
)
MEND = "mctl create box … once more goes on from here; mctl rm box clears it"
STOPPED = f"Error: stopped; what was made so far is kept\n  hint: {MEND}\n"


@pytest.fixture
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("interrupted"))
    yield shop
    left_running = [each.pid for each in psutil.process_iter() if str(shop.folder) in _environment(each)]
    assert left_running == []


def stop_at(shop: Shop, host: ContainerHost, step: str, how: signal.Signals) -> tuple[int, str]:
    """Begin a create, send the signal as soon as the step is shown, and give the exit code and the rest it said."""
    # Where the run before got a step further than it was stopped at, this one would have nothing to start.
    host.exec("rm -f /etc/docker/server.pem")
    run = create_until(shop, host, step)
    run.send_signal(how)
    rest, _ = run.communicate(timeout=60)
    return run.returncode, rest


def create_until(shop: Shop, host: ContainerHost, step: str) -> subprocess.Popen[str]:
    run = shop.start("create", "box", *options(host))
    assert run.stdout is not None
    said = []
    for line in run.stdout:
        said.append(line)
        if step in line:
            return run
    raise AssertionError(f"create ended with {run.wait()} before {step!r}:\n{''.join(said)}")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_a_create_that_is_stopped_at_every_step_is_finished_by_create_again(
    shop: Shop, bare_host: ContainerHost, how: signal.Signals
) -> None:
    for step in STEPS:
        code, rest = stop_at(shop, bare_host, step, how)
        if how == signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert (code, rest[-len(STOPPED) :]) == (130, STOPPED)
    ran = shop.mctl("create", "box", *options(bare_host))
    assert ran.code == 0, ran.err
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}") in ran.out
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert shop.mctl("rm", "-y", "box") == (0, "Successfully removed box\n", "")
    assert shop.left() == []


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_rm_clears_a_create_that_was_stopped_at_any_step(
    shop: Shop, bare_host: ContainerHost, how: signal.Signals
) -> None:
    for step in STEPS:
        stop_at(shop, bare_host, step, how)
        ran = shop.mctl("rm", "-y", "box")
        assert (ran.code, ran.out) == (0, "Successfully removed box\n"), (step, ran.err)
        assert shop.left() == [], step


def test_a_killed_pulumi_engine_is_one_error_and_create_again_finishes(shop: Shop, bare_host: ContainerHost) -> None:
    run = create_until(shop, bare_host, STEPS[1])
    (engine,) = [each for each in psutil.Process(run.pid).children() if each.name() == "pulumi"]
    engine.kill()
    rest, _ = run.communicate(timeout=60)
    assert run.returncode == 1
    assert rest.splitlines()[-1] == f"  hint: {MEND}"
    assert rest.count("Error: ") == 1
    ran = shop.mctl("create", "box", *options(bare_host))
    assert ran.code == 0, ran.err
    assert shop.mctl("rm", "-y", "box").code == 0


def _environment(process: psutil.Process) -> str:
    try:
        return process.environ().get("MCTL_HOME", "")
    except psutil.Error:
        return ""
