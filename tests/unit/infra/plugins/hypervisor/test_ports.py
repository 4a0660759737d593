"""Ports of this computer that lead to VMs: free when chosen, and kept."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from infra.plugins.hypervisor import ports
from infra.plugins.hypervisor.vm_folder import VmFolder, VmRecord
from infra.plugins.server import PluginError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server((ports.HOST, 0)) as server:
        yield server.getsockname()[1]


def free() -> int:
    with socket.create_server((ports.HOST, 0)) as server:
        port: int = server.getsockname()[1]
        return port


def folder(name: str = "web-1", **kept: int) -> VmFolder:
    made = VmFolder(name)
    made.make()
    made.save(VmRecord("urn", "qemu", {}, "", {key.removeprefix("p"): port for key, port in kept.items()}))
    return made


def test_free_ports_are_chosen_and_no_two_are_the_same() -> None:
    chosen = ports.assign({"22": 0, "2376": 0, "80": 0}, {}, folder())
    assert len(set(chosen.values())) == 3
    assert all(map(ports.is_free, chosen.values()))


def test_a_kept_port_stays_and_a_declared_one_wins() -> None:
    kept, declared = free(), free()
    assert ports.assign({"22": 0, "80": declared}, {"22": kept, "80": 1}, folder()) == {"22": kept, "80": declared}


def test_a_kept_port_that_another_program_took_is_chosen_anew(taken: int) -> None:
    assert ports.assign({"22": 0}, {"22": taken}, folder())["22"] != taken


def test_a_declared_port_that_another_program_has_is_refused(taken: int) -> None:
    with pytest.raises(PluginError, match=f"port {taken} of this computer, declared for port 80 of the VM, is taken"):
        ports.assign({"80": taken}, {}, folder())


def test_ports_of_stopped_vms_are_not_given_away(monkeypatch: pytest.MonkeyPatch) -> None:
    others, own = free(), free()
    folder("web-2", p22=others)
    offered = iter([others, own])
    monkeypatch.setattr(ports, "_any_free", lambda: next(offered))
    assert ports.assign({"22": 0}, {}, folder()) == {"22": own}
