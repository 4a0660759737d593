"""The Machine component in a program of one's own: what it takes, what it refuses, and what it gives."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pulumi
import pytest

from infra.components.machine import EngineArgs, Machine, MachineArgs
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec
from tests.unit.infra.components.test_engine import awaited
from tests.unit.infra.components.test_machine import Recorder


def declared(opts: pulumi.ResourceOptions | None = None, **settings: Any) -> tuple[Recorder, dict[str, Any]]:
    """Make `web-1` as a program of the user's own does; give what was sent and what its attributes came to be."""
    recorder, values = Recorder(), dict[str, Any]()
    pulumi.runtime.set_mocks(recorder, project="shop", stack="prod", preview=False)

    def make() -> pulumi.Output[None]:
        made = Machine("web-1", opts, **settings)
        known = pulumi.Output.all(address=made.address, docker_url=made.docker_url, ca_cert=made.ca_cert)
        return known.apply(values.update)

    awaited(make)()
    return recorder, values


def test_a_program_of_ones_own_makes_a_machine_with_an_authority_of_its_own() -> None:
    sent, values = declared(provider="qemu", options={"memory": 2048}, engine={"labels": ["tier=web"]})
    assert values == {"address": "127.0.0.1", "docker_url": "tcp://127.0.0.1:42376", "ca_cert": "CA"}
    ca = sent.inputs["tls:index/selfSignedCert:SelfSignedCert", "web-1-authority-ca"]
    assert ca["subject"]["commonName"] == "mctl CA prod web-1"
    assert {name for _, name in sent.inputs if not name.startswith("web-1")} <= {"prod", "shop-prod"}


def test_a_transformation_reaches_every_child() -> None:
    seen = set()

    def protect(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
        seen.add(args.name)
        return pulumi.ResourceTransformationResult({**args.props, "running": False}, args.opts)

    sent, _ = declared(pulumi.ResourceOptions(transformations=[protect]), provider="qemu")
    assert {"web-1", "web-1-vm", "web-1-ssh-key", "web-1-authority-ca", "web-1-install"} <= seen
    assert sent.inputs["hypervisor:index:VirtualMachine", "web-1-vm"]["running"] is False


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "Machine: web-1 has no `provider`"),
        ({"provider": "qemu", "tls_san": ["a"]}, "Machine: web-1 has no setting 'tls_san'; did you mean 'tls_sans'?"),
        ({"provider": "qemu", "running": "no"}, "Machine: web-1.running is 'no' and must be true or false"),
        (
            {"provider": "qemu", "engine": {"labels": 1}},
            "Machine: web-1.engine.labels is 1 and must be a list of texts",
        ),
        ({"provider": "none", "options": {"url": "h"}, "tls_sans": ["a"]}, "--tls-san: provider none changes nothing"),
    ],
)
def test_settings_that_can_mean_nothing_are_refused_before_anything_is_made(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        Machine("web-1", **settings)
    assert raised.value.message.startswith(message)


@pytest.mark.parametrize("setting", ["ssh_host_key", "options", "engine"])
def test_what_is_known_too_late_is_refused_by_its_name(setting: str) -> None:
    pulumi.runtime.set_mocks(Recorder(), project="shop", stack="prod", preview=False)
    late = pulumi.Output.from_input("x")
    settings: dict[str, Any] = {"ssh_host_key": late, "options": {"memory": late}, "engine": {"labels": [late]}}
    with pytest.raises(UsageError) as raised:
        Machine("web-1", **{"provider": "qemu", setting: settings[setting]})
    assert raised.value.message.startswith(f"Machine: web-1.{setting} is an Output")


def test_a_program_can_say_all_that_a_declaration_can_but_what_only_mctl_writes() -> None:
    own = {"name", "adopted", "formerly"}
    assert set(MachineArgs.__annotations__) == {field.name for field in fields(MachineSpec)} - own
    assert set(EngineArgs.__annotations__) == {field.name for field in fields(EngineSpec)}
