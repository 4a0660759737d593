"""What a hypervisor does to a VM behind our back: told by reads, and mended by start and stop."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clouds import virtualbox, vmwarefusion
from tests.clouds.cloud import Cloud
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


@pytest.mark.parametrize("cloud", [virtualbox.CLOUD, vmwarefusion.CLOUD], ids=["virtualbox", "vmwarefusion"])
def test_shared_folders_are_in_the_vm_and_another_choice_restarts_it(
    cloud: Cloud, open_cloud: Open, tmp_path: Path
) -> None:
    world, shop = open_cloud(cloud)
    option = f"--{cloud.provider}-share-folder"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "note").write_text(f"of {name}")
    created = shop.mctl("create", "web", "--provider", cloud.provider, option, f"{tmp_path}/one:src")
    assert created.code == 0, created.err
    assert shop.mctl("ssh", "web", "cat /src/note").out == "of one"
    before = shop.inspect("web")
    preview = shop.mctl("set", "web", option, f"{tmp_path}/two:data", "--preview")
    assert "restart" in preview.out + preview.err
    changed = shop.mctl("set", "web", option, f"{tmp_path}/two:data", "--yes")
    assert changed.code == 0, changed.err
    assert shop.inspect("web")["instance_id"] == before["instance_id"]
    assert shop.mctl("ssh", "web", "cat /data/note; mountpoint -q /src || echo none at /src").out == (
        "of twonone at /src\n"
    )
    none = shop.mctl("set", "web", option, "", "--yes")
    assert none.code == 0, none.err
    assert (
        shop.mctl("ssh", "web", "mountpoint -q /data || echo none; systemctl --failed --plain --quiet").out == "none\n"
    )
    assert shop.mctl("preview", "web").out == "no changes\n"
    assert shop.mctl("rm", "-y", "web").code == 0
    assert world.left() == []
