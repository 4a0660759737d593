"""Two machines: in one stack, which changes as one, and in two, which never wait for each other."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.shop import Shop, options

Pair = tuple[ContainerHost, ContainerHost]


@pytest.fixture(scope="module")
def pair(hosts: ContainerHosts) -> Iterator[Pair]:
    made = hosts.start(docker_installed=True), hosts.start(docker_installed=True)
    yield made
    for host in made:
        hosts.remove(host)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_machines_of_one_stack_share_an_authority_and_one_goes_without_the_other(shop: Shop, pair: Pair) -> None:
    for name, host in zip(("web-1", "web-2"), pair, strict=True):
        ran = shop.mctl("create", name, "--stack", "prod", *options(host))
        assert ran.code == 0, ran.err
    authorities = {(shop.home / "machines" / name / "ca.pem").read_text() for name in ("web-1", "web-2")}
    assert len(authorities) == 1
    assert shop.mctl("up", "prod").out == "".join(
        f"{name} tcp://{host.address}:2376\n" for name, host in zip(("web-1", "web-2"), pair, strict=True)
    )
    assert shop.mctl("rm", "-y", "prod") == (
        4,
        "",
        'Error: machine "prod" does not exist\n  hint: mctl ls, or mctl create prod\n',
    )
    assert shop.mctl("rm", "-y", "web-1") == (0, "Successfully removed web-1\n", "")
    assert shop.mctl("ls", "-q").out == "web-2\n"
    assert shop.contexts() == ["web-2"]
    assert not shop.is_old("web-2")
    assert shop.mctl("preview", "prod").out == "no changes\n"
    assert shop.docker("--context", "web-2", "version", "--format", "{{.Server.Version}}")
    assert shop.mctl("rm", "-y", "web-2").code == 0
    assert shop.left() == []


def test_two_creates_at_once_do_not_wait_for_each_other(shop: Shop, pair: Pair) -> None:
    runs = [shop.start("create", name, *options(host)) for name, host in zip(("a", "b"), pair, strict=True)]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert not any("lock" in text for text in said)
    assert shop.mctl("ls", "-q").out == "a\nb\n"
    assert shop.mctl("rm", "-y", "b", "a") == (0, "Successfully removed b\nSuccessfully removed a\n", "")
    assert shop.left() == []


def test_a_ctrl_c_reaches_the_runs_of_all_machines_and_the_same_command_goes_on(shop: Shop, pair: Pair) -> None:
    runs = [shop.start("create", name, *options(host)) for name, host in zip(("a", "b"), pair, strict=True)]
    assert [run.wait(120) for run in runs] == [0, 0]
    run = shop.start("rm", "-y", "a", "b")
    locks = shop.home / "state" / ".pulumi" / "locks"
    while not list(locks.rglob("*.json")):
        assert run.poll() is None
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 130, said
    assert [each for each in psutil.process_iter() if runs_in(shop, each)] == []
    assert shop.mctl("rm", "-f", "a", "b").code == 0
    assert shop.left() == []


def runs_in(shop: Shop, process: psutil.Process) -> bool:
    try:
        return process.environ().get("MCTL_HOME") == str(shop.home)
    except psutil.Error:
        return False


def test_a_stack_that_another_run_changes_is_named_with_who_does(shop: Shop, pair: Pair) -> None:
    host = pair[0]
    host.exec("mv /usr/sbin/dockerd /usr/sbin/dockerd.kept")
    host.write("/usr/sbin/dockerd", "#!/bin/sh\nsleep 8\n")
    host.exec("chmod 755 /usr/sbin/dockerd")
    try:
        first = shop.start("create", "box", *options(host))
        locks = shop.home / "state" / ".pulumi" / "locks"
        while not list(locks.rglob("*.json")):
            assert first.poll() is None
        second = shop.mctl("create", "box", *options(host))
    finally:
        host.exec("mv /usr/sbin/dockerd.kept /usr/sbin/dockerd")
    assert (second.code, second.out) == (1, "")
    assert "Error: stack box is locked by " in second.err
    assert second.err.endswith("  hint: wait for it to end: the same command with --wait does\n")
    first.communicate(timeout=120)
    assert shop.mctl("rm", "-y", "box").code == 0
    assert shop.left() == []
