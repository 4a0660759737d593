"""A VirtualMachine's inputs, and what a change of each takes."""

from __future__ import annotations

from typing import Any

import pytest

from infra.plugins.hypervisor.inputs import check
from infra.plugins.hypervisor.virtual_machine import VirtualMachine
from infra.plugins.server import Diff, Operation
from infra.plugins.wire import UNKNOWN, secret

GIVEN: dict[str, Any] = {
    "name": "web-1",
    "authorizedKey": "ssh-ed25519 AAAA",
    "hostPrivateKey": secret("the key"),
    "hostPublicKey": "ssh-ed25519 BBBB",
}
URN = "urn:pulumi:prod::mctl::hypervisor:index:VirtualMachine::web-1-vm"


def checked(**changes: Any) -> dict[str, Any]:
    values, failures = check(GIVEN | changes)
    assert failures == []
    return values


def diff(news: dict[str, Any], ignored: tuple[str, ...] = ()) -> Diff:
    return VirtualMachine().diff(Operation(urn=URN, olds=checked(), news=news, ignore_changes=ignored))


def test_defaults_are_filled_in_and_ssh_and_docker_are_always_forwarded() -> None:
    values = checked(forwards={"8080": 18080})
    assert values["forwards"] == {"22": 0, "2376": 0, "8080": 18080}
    assert (values["cpus"], values["memory"], values["disk"], values["running"]) == (2, 2048, 20, True)
    assert values["hostPrivateKey"] == secret("the key")


@pytest.mark.parametrize(
    ("changes", "property", "reason"),
    [
        ({"cpu": 2}, "cpu", "VirtualMachine has no input cpu"),
        ({"name": ""}, "name", "name is missing"),
        ({"backend": "xen"}, "backend", "backend is one of: qemu, virtualbox, vmwarefusion, hyperv"),
        ({"cpus": 0}, "cpus", "cpus must be a whole number of processors from 1 to 256"),
        ({"cpus": True}, "cpus", "cpus must be a whole number of processors from 1 to 256"),
        ({"memory": 255}, "memory", "memory must be a whole number of MiB from 256 to 4194304"),
        ({"disk": 1.5}, "disk", "disk must be a whole number of GiB from 1 to 65536"),
        (
            {"forwards": {"http": 1}},
            "forwards",
            "forwards are not ports of the VM to ports of this computer: http: 1",
        ),
        (
            {"forwards": {"80": 8000, "81": 8000}},
            "forwards",
            "forwards are not ports of the VM to ports of this computer: one port of this computer leads to two of "
            "the VM",
        ),
        ({"sshUser": "root;reboot"}, "sshUser", "'root;reboot' is not a user's name such as mctl"),
        ({"shares": {"src": "/src"}}, "shares", "qemu shares no folders: virtualbox and vmwarefusion do"),
        (
            {"backend": "virtualbox", "shares": {"src": "/src", "etc": "/a", "a b": "/b", "-o": "/c"}},
            "shares",
            "a share is mounted at /NAME: NAME is letters, digits and _.-, and no folder of the system: etc, a b, -o",
        ),
        (
            {"userData": "echo"},
            "userData",
            "user data must begin with one of: #!, #cloud-config, #cloud-boothook, #include, ## template: jinja",
        ),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, Any], property: str, reason: str) -> None:  # noqa: A002
    _, failures = check(GIVEN | changes)
    assert [(failure.property, failure.reason) for failure in failures] == [(property, reason)]


def test_what_is_not_known_yet_is_let_through() -> None:
    names = (
        "name",
        "authorizedKey",
        "hostPrivateKey",
        "hostPublicKey",
        "cpus",
        "memory",
        "disk",
        "forwards",
        "userData",
        "shares",
    )
    _, failures = check(dict.fromkeys(names, UNKNOWN))
    assert failures == []


def test_other_shares_change_in_place() -> None:
    olds, news = (checked(backend="virtualbox", shares={"src": path}) for path in ("/one", "/two"))
    found = VirtualMachine().diff(Operation(urn=URN, olds=olds, news=news))
    assert (found.diffs, found.replaces) == (("shares",), ())


@pytest.mark.parametrize(
    "changes",
    [{"cpus": 4}, {"memory": 4096}, {"disk": 40}, {"running": False}, {"forwards": {"80": 0}}, {"name": "web-2"}],
)
def test_size_ports_power_and_name_change_in_place(changes: dict[str, Any]) -> None:
    found = diff(checked(**changes))
    assert (found.diffs, found.replaces) == (tuple(changes), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"image": "/other.qcow2"},
        {"hostPrivateKey": secret("other")},
        {"authorizedKey": "ssh-ed25519 CCCC"},
        {"userData": "#!/bin/sh"},
        {"backend": "virtualbox"},
        {"network": "External"},
        {"disk": 10},
    ],
)
def test_what_is_in_the_disk_or_the_seed_replaces_and_the_old_one_goes_first(changes: dict[str, Any]) -> None:
    found = diff(checked(**changes))
    assert (found.diffs, found.replaces) == (tuple(changes), tuple(changes))
    assert found.delete_before_replace


def test_what_is_ignored_is_no_change() -> None:
    assert diff(checked(cpus=4), ("cpus",)).diffs == ()


def test_stack_state_of_before_there_were_backends_is_no_change() -> None:
    olds = {key: value for key, value in checked().items() if key not in ("backend", "network", "shares")}
    assert VirtualMachine().diff(Operation(urn=URN, olds=olds, news=checked())).diffs == ()


def test_a_paused_vm_is_to_be_switched_on_or_off() -> None:
    for running in (True, False):
        values = checked(running=running)
        found = VirtualMachine().diff(Operation(urn=URN, olds={**values, "state": "Paused"}, news=values))
        assert (found.diffs, found.replaces) == (("running",), ())
