"""What a hypervisor does to a VM behind our back: told by reads, and mended by start and stop."""

from __future__ import annotations

from tests.clouds import virtualbox
from tests.clouds.conftest import Open
from tests.clouds.programs.vboxmanage import run
from tests.clouds.world import World
from tests.hosts.shop import Shop


def pause(world: World) -> None:
    (vm,) = world.every("vms")
    run(world, "controlvm", [vm["name"], "pause"])


def state(shop: Shop) -> str:
    return shop.mctl("status", "web").out.strip()


def test_a_paused_vm_is_told_and_is_resumed_by_start_and_ended_by_stop(open_cloud: Open) -> None:
    world, shop = open_cloud(virtualbox.CLOUD)
    created = shop.mctl("create", "web", "--provider", "virtualbox")
    assert created.code == 0, created.err
    pause(world)
    assert state(shop) == "Paused"
    started = shop.mctl("start", "web")
    assert (started.code, started.out) == (0, 'Machine "web" was started.\n'), started.err
    assert state(shop) == "Running"
    pause(world)
    stopped = shop.mctl("stop", "web")
    assert (stopped.code, stopped.out) == (0, 'Machine "web" was stopped.\n'), stopped.err
    assert [vm["state"] for vm in world.every("vms")] == ["poweroff"]
    removed = shop.mctl("rm", "-y", "web")
    assert removed.code == 0, removed.err
    assert world.left() == []
