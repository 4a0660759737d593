"""What the changes of a preview mean for machines."""

from __future__ import annotations

import pytest

from infra.stacks import effects
from infra.stacks.effects import Effect
from infra.stacks.steps import Change

VM, COMMAND, MACHINE = "hypervisor:index:VirtualMachine", "command:remote:Command", "mctl:infra:Machine"


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        (Change("web-server", "tls:index/certRequest:CertRequest", "replace", ("dnsNames",)), Effect.IN_PLACE),
        (Change("web-configure", COMMAND, "update", ("create",)), Effect.ENGINE),
        (Change("web-install", COMMAND, "update", ("create",)), Effect.ENGINE),
        (Change("web-configure", COMMAND, "replace", ("connection",)), Effect.IN_PLACE),
        (Change("web-vm", VM, "update", ("name",)), Effect.IN_PLACE),
        (Change("web-vm", VM, "update", ("memory",)), Effect.RESTART),
        (Change("web-vm", VM, "replace", ("image",)), Effect.REPLACE),
        (Change("web", MACHINE, "create", ()), Effect.MAKE),
        (Change("web-vm", "gcp:compute/instance:Instance", "update", ("machineType",)), Effect.RESTART),
        (Change("web-vm", "aws:ec2/instance:Instance", "update", ("tags", "tagsAll")), Effect.IN_PLACE),
        (Change("web-vm", "aws:ec2/instance:Instance", "replace", ("ami",)), Effect.REPLACE),
        (Change("web-droplet", "digitalocean:index/droplet:Droplet", "update", ("size",)), Effect.RESTART),
        (Change("web-group", "aws:ec2/securityGroup:SecurityGroup", "update", ("ingress",)), Effect.IN_PLACE),
        (Change("web-key", "digitalocean:index/sshKey:SshKey", "replace", ("publicKey",)), Effect.IN_PLACE),
        (Change("web-power", "aws:ec2transitgateway/instanceState:InstanceState", "replace", ()), Effect.IN_PLACE),
    ],
)
def test_a_change_means_what_it_takes(change: Change, effect: Effect) -> None:
    assert effects.of([change], {"web": {}}) == {"web": effect}


@pytest.mark.parametrize(
    ("why", "op", "effect"),
    [
        (("memory", "cpus"), "update", Effect.AT_START),
        (("memory", "running"), "update", Effect.RESTART),  # it runs still, and is switched off by this
        (("name",), "update", Effect.IN_PLACE),
        (("image",), "replace", Effect.REPLACE),
    ],
)
def test_what_restarts_a_vm_waits_for_its_start_where_it_is_switched_off(
    why: tuple[str, ...], op: str, effect: Effect
) -> None:
    assert effects.of([Change("web-vm", VM, op, why)], {"web": {"running": False}}) == {"web": effect}


def test_each_machine_is_told_its_weightiest_effect_and_one_that_goes_by_its_own_name() -> None:
    changes = [
        Change("web-1-vm", VM, "replace", ("image",)),
        Change("web-1-configure", COMMAND, "update", ("stdin",)),
        Change("web-configure", COMMAND, "update", ("stdin",)),
        Change("gone", MACHINE, "delete", ()),
        Change("authority-ca", "tls:index/selfSignedCert:SelfSignedCert", "replace", ()),
    ]
    assert effects.of(changes, {"web": {}, "web-1": {}}) == {
        "web": Effect.ENGINE,
        "web-1": Effect.REPLACE,
        "gone": Effect.REMOVE,
    }


def test_what_goes_with_a_machine_is_no_change_of_one_whose_name_begins_its_own() -> None:
    changes = [
        Change("web-1-vm", VM, "delete", ()),
        Change("web-1-configure", COMMAND, "delete", ()),
        Change("web-1", MACHINE, "delete", ()),
        Change("web-server", "tls:index/certRequest:CertRequest", "replace", ("dnsNames",)),
    ]
    assert effects.of(changes, {"web": {}}) == {"web": Effect.IN_PLACE, "web-1": Effect.REMOVE}


def test_what_loses_data_is_asked_for_apart() -> None:
    assert [effect for effect in Effect if not effect.asks] == [Effect.IN_PLACE, Effect.AT_START]
    assert [effect for effect in Effect if effect.loses_data] == [Effect.REPLACE, Effect.REMOVE]
