"""The Swarm component: who is asked to do what, and no token where it could be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from infra.components import swarm
from infra.components.machine import Machine
from infra.components.tls import Authority
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec, SwarmSpec
from tests.unit.infra.components.test_engine import awaited
from tests.unit.infra.components.test_machine import MADE

NAMES = ["web-1", "web-2", "web-3", "web-4", "web-5"]
SAID = "worker-token: SWMTKN-worker\nmanager-token: SWMTKN-manager\nunlock-key: SWMKEY\n"


class Recorder(pulumi.runtime.Mocks):
    """Stand for the Pulumi engine: the lead tells tokens, each member the id of its node."""

    def __init__(self) -> None:
        self.inputs: dict[str, Mapping[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.name] = dict(args.inputs)
        made = dict(MADE.get(args.typ, {}))
        if args.name == "prod-swarm-lead":
            made["stdout"] = SAID
        elif args.name.endswith("-swarm"):
            made["stdout"] = f"node: id-of-{args.name.removesuffix('-swarm')}\n"
        return f"{args.name}-id", {**args.inputs, **made}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"unexpected call {args.token}")


def machines(**changes: Any) -> list[MachineSpec]:
    facts = {"provider": "qemu", "engine": EngineSpec(labels=("tier=web",)), **changes}
    return [MachineSpec(name=name, **facts) for name in NAMES]


def refusal(spec: SwarmSpec, specs: list[MachineSpec]) -> str:
    """Say why machines can form no Swarm, or nothing."""
    try:
        swarm.check(spec, specs)
    except UsageError as refused:
        return refused.message
    return ""


class Built:
    def __init__(self, spec: SwarmSpec | None = None) -> None:
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="mctl", stack="prod", preview=False)
        self.sent, self.outputs, self.secret = recorder.inputs, dict[str, str](), set[str]()
        awaited(lambda: self._build(spec or SwarmSpec()))()

    def _build(self, spec: SwarmSpec) -> pulumi.Output[None]:
        specs, authority = machines(), Authority("prod")
        hosts = {each.name: Machine(each.name, authority=authority, **each.to_config()) for each in specs}
        made = swarm.Swarm("prod", spec, specs, hosts)

        async def secret() -> set[str]:
            return {key for key, output in made.outputs.items() if await output.is_secret()}

        def keep(both: list[Any]) -> None:
            self.outputs, self.secret = both

        return pulumi.Output.all(pulumi.Output.all(**made.outputs), secret()).apply(keep)

    def stdin(self, name: str) -> str:
        """Give a command's standard input, which must be secret."""
        value = self.sent[name]["stdin"]
        assert value[rpc._special_sig_key] == rpc._special_secret_sig
        return str(value["value"])


def test_tokens_and_key_are_secret_outputs() -> None:
    built = Built()
    assert built.outputs == {
        "worker_token": "SWMTKN-worker",
        "manager_token": "SWMTKN-manager",
        "unlock_key": "SWMKEY",
    }
    assert built.secret == set(built.outputs)


def test_each_joins_with_the_token_of_its_role_by_secret_standard_input_alone() -> None:
    built = Built()
    for name in NAMES:
        role = "manager" if name in NAMES[:3] else "worker"
        lines = built.stdin(f"{name}-swarm").splitlines()
        assert {f"role {role}", f"token SWMTKN-{role}", "unlock SWMKEY", "advertise 10.0.2.15"} <= set(lines)
    for sent in built.sent.values():
        assert "SWM" not in str(sent.get("create", "")).replace("SWM[A-Z]", "")
        assert "SWM" not in str(sent.get("connection", "")) + str(sent.get("triggers", ""))


def test_a_manager_learns_of_the_other_managers_and_a_worker_of_all() -> None:
    built = Built()
    managers = {name: built.stdin(f"{name}-swarm").count("\nmanager ") for name in NAMES}
    assert managers == {"web-1": 2, "web-2": 2, "web-3": 2, "web-4": 3, "web-5": 3}


def test_the_lead_is_never_asked_to_begin_again_by_an_update() -> None:
    sent = Built(SwarmSpec(lead="web-2", autolock=True)).sent["prod-swarm-lead"]
    assert "machine=web-2\nautolock=true\n" in sent["create"]
    assert "\nmay_begin=yes\n" in sent["create"]
    assert "\nmay_begin=''\n" in sent["update"]
    assert "triggers" not in sent  # what replaces it would let it begin


def test_the_lead_is_told_every_node_its_role_and_its_labels() -> None:
    assert Built().stdin("prod-swarm-nodes") == (
        "unlock SWMKEY\n"
        "member web-1 id-of-web-1 manager\nmember web-2 id-of-web-2 manager\nmember web-3 id-of-web-3 manager\n"
        "member web-4 id-of-web-4 worker\nmember web-5 id-of-web-5 worker\n"
        "label web-1 tier=web\nlabel web-2 tier=web\nlabel web-3 tier=web\nlabel web-4 tier=web\nlabel web-5 tier=web\n"
    )


@pytest.mark.parametrize(
    ("specs", "spec", "said"),
    [
        (machines(), SwarmSpec(), "machines of provider qemu don't reach each other, so they form no Swarm"),
        (
            machines(provider="none", engine=EngineSpec()),
            SwarmSpec(),
            "provider none changes nothing on the daemon's host, so it can join no Swarm",
        ),
        (
            machines(provider="gcp", engine=EngineSpec(opts=("live-restore=true",))),
            SwarmSpec(),
            "--engine-opt live-restore: Swarm mode excludes it",
        ),
        (
            machines(provider="exoscale"),
            SwarmSpec(),
            "machines of provider exoscale have no private addresses that its firewall could let in",
        ),
        (
            machines(provider="azure"),
            SwarmSpec(),
            "each machine of provider azure has a network of its own, so they form no Swarm",
        ),
    ],
)
def test_machines_that_can_form_none_are_refused(specs: list[MachineSpec], spec: SwarmSpec, said: str) -> None:
    assert refusal(spec, specs) == said


@pytest.mark.parametrize(
    ("spec", "specs"),
    [
        (SwarmSpec(lead="web-2"), machines(provider="gcp")),
        (SwarmSpec(networks=("192.0.2.0/24",)), machines(provider="exoscale")),
        (SwarmSpec(), machines()[:1]),
    ],
)
def test_machines_of_one_private_network_may_form_one(specs: list[MachineSpec], spec: SwarmSpec) -> None:
    assert refusal(spec, specs) == ""
