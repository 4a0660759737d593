"""Commands on one machine at the same time: one works, others are refused, reads answer, nothing is half-way."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psutil
import pytest

from infra.stacks.locks import since
from tests.cli_runner import Ran
from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.shop import Shop, options

SECONDS = 60
READS = {"env": (), "url": (), "ip": (), "config": (), "inspect": (), "ssh": ("true",)}
ABSENT = 'Error: machine "box" does not exist\n  hint: mctl ls, or mctl create box\n'
NO_STACK = "Error: stack box does not exist\n  hint: mctl ls, or mctl create box\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("at-once"))


@contextmanager
def frozen(shop: Shop, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Begin a run, and have it frozen, its engine holding the stack's lock; after that it goes on to its good end."""
    run = shop.start(*arguments)
    try:
        locks, end = shop.home / "state" / ".pulumi" / "locks", time.monotonic() + SECONDS
        # Making the stack takes a lock too, before the machine is declared.
        while not (is_declared(shop) and list(locks.rglob("*.json"))):
            assert run.poll() is None, run.communicate()[0]
            assert time.monotonic() < end
            time.sleep(0.01)
        run.send_signal(signal.SIGSTOP)
        yield run
    finally:
        run.send_signal(signal.SIGCONT)
        said, _ = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, said


def is_declared(shop: Shop) -> bool:
    file = shop.home / "Pulumi.box.yaml"
    return file.exists() and "mctl:machines" in file.read_text()


def refused(run: subprocess.Popen[str]) -> Ran:
    """Give what another run on the same stack is told."""
    began = since(datetime.fromtimestamp(psutil.Process(run.pid).create_time(), UTC))
    return Ran(
        1,
        "",
        f"Error: stack box is locked by another mctl (pid {run.pid}){began}\n"
        "  hint: wait for it to end: the same command with --wait does\n",
    )


def test_during_a_create_the_same_name_is_neither_made_nor_removed_nor_declared_anew(
    shop: Shop, host: ContainerHost
) -> None:
    with frozen(shop, "create", "box", *options(host), "--engine-label", "tier=web") as run:
        declared = (shop.home / "Pulumi.box.yaml").read_text()
        assert shop.mctl("create", "box", *options(host), "--engine-label", "tier=other") == refused(run)
        assert shop.mctl("rm", "-y", "box") == refused(run)
        assert shop.mctl("up", "box") == refused(run)
        assert shop.mctl("ls", "-q") == (0, "", "")
        assert shop.mctl("ls").out.splitlines()[1].split()[:3] == ["box", "-", "generic"]
        assert (shop.home / "Pulumi.box.yaml").read_text() == declared
    assert shop.mctl("preview", "box").out == "no changes\n"


def test_during_an_up_the_reads_answer(shop: Shop, host: ContainerHost) -> None:
    told = {verb: shop.mctl(verb, "box", *more) for verb, more in READS.items()}
    assert {each.code for each in told.values()} == {0}
    with frozen(shop, "up", "box") as run:
        assert {verb: shop.mctl(verb, "box", *more) for verb, more in READS.items()} == told
        assert shop.mctl("ls").out.splitlines()[1].split()[:4] == ["box", "-", "generic", "Running"]
        assert shop.mctl("refresh", "box") == refused(run)


def test_of_two_removals_one_removes_and_the_reads_never_stumble(shop: Shop, host: ContainerHost) -> None:
    with frozen(shop, "rm", "-y", "box") as run:
        assert shop.mctl("rm", "-y", "box") == refused(run)
        assert shop.mctl("create", "box", *options(host)).code == 1
        run.send_signal(signal.SIGCONT)
        while run.poll() is None:
            ran = shop.mctl("ls", "-q")
            assert ran in (Ran(0, "box\n", ""), Ran(0, "", ""))
            ran = shop.mctl("url", "box")
            assert ran in (Ran(0, f"tcp://{host.address}:2376\n", ""), Ran(4, "", ABSENT), Ran(4, "", NO_STACK))
    assert shop.mctl("rm", "-y", "box") == (4, "", ABSENT)
    assert shop.left() == []


def test_a_machine_whose_host_is_gone_is_removed(shop: Shop, hosts: ContainerHosts) -> None:
    host = hosts.start(docker_installed=True)
    created = shop.mctl("create", "box", *options(host))
    hosts.remove(host)
    assert created.code == 0, created.err
    assert shop.mctl("rm", "-y", "box") == (0, "Successfully removed box\n", "")
    assert shop.left() == []
