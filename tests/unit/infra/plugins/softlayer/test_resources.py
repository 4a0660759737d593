from __future__ import annotations

import asyncio
import os
from typing import Any

import pytest

from infra.plugins.server import Operation, PluginError
from infra.plugins.softlayer import api, guest
from infra.plugins.softlayer.guest import Guest
from infra.plugins.softlayer.resource import Declared
from infra.plugins.softlayer.security_group import SecurityGroup
from infra.plugins.softlayer.ssh_key import SshKey
from infra.plugins.softlayer.virtual_guest import VirtualGuest
from infra.plugins.wire import UNKNOWN, Properties, is_secret
from tests.clouds.world import World

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIK1ydzqPcwcTZEsAMiQEJhXHGzVLdFuc1hXrXYYWjDBr"
EGRESS = {"direction": "egress", "ethertype": "IPv4"}
SSH = {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "portRangeMin": 22, "portRangeMax": 22}
WEB = SSH | {"portRangeMin": 80, "portRangeMax": 80}


def operation(resource: Declared, news: Properties, **more: Any) -> Operation:
    given = news | {"endpoint": os.environ.get("SOFTLAYER_API_ENDPOINT", "")}
    checked, failures = resource.check(Operation(urn="urn:pulumi:s::p::t::web-x", news=given))
    assert not failures
    return Operation(urn="urn:pulumi:s::p::t::web-x", news=checked, olds=checked, old_inputs=checked, **more)


def make(resource: Declared, news: Properties) -> tuple[str, Properties]:
    return asyncio.run(resource.create(operation(resource, news)))


def look(resource: Declared, news: Properties, made: str) -> tuple[Properties, Properties] | None:
    return asyncio.run(resource.read(operation(resource, news, id=made)))


def change(resource: Declared, olds: Properties, news: Properties, made: str) -> Properties:
    old, new = operation(resource, olds), operation(resource, news)
    op = Operation(urn=new.urn, id=made, olds=old.news, old_inputs=old.news, news=new.news)
    return asyncio.run(resource.update(op))


@pytest.fixture
def wanted(world: World) -> Properties:
    key, _ = make(SshKey(), {"label": "mctl-web", "publicKey": KEY})
    group, _ = make(SecurityGroup(), {"name": "mctl-web", "rules": [EGRESS]})
    return {
        "hostname": "web",
        "domain": "mctl.internal",
        "datacenter": "dal10",
        "image": "DEBIAN_12_64",
        "cpus": 1,
        "memory": 2048,
        "disk": 25,
        "sshKeys": [key],
        "securityGroups": [group],
        "userData": "#cloud-config\n{}\n",
        "tags": ["mctl-owner:abc", "mctl-machine:Web"],
    }


def test_a_guest_is_made_with_tags_addresses_and_its_user_data_secret(world: World, wanted: Properties) -> None:
    made, outputs = make(VirtualGuest(), wanted)
    assert (outputs["address"], outputs["privateAddress"]) == ("192.0.2.1", "192.0.2.1")
    assert is_secret(outputs["userData"])
    (there,) = world.every("guests")
    assert (there["id"], there["tags"]) == (made, wanted["tags"])
    found = look(VirtualGuest(), wanted, made)
    assert found
    assert found[1] == operation(VirtualGuest(), wanted).news


def test_a_guest_that_a_killed_run_ordered_is_taken_over(world: World, wanted: Properties) -> None:
    made, _ = make(VirtualGuest(), wanted)
    assert make(VirtualGuest(), wanted)[0] == made
    other, _ = make(SshKey(), {"label": "mctl-web", "publicKey": KEY.replace("IK", "IL")})
    assert make(VirtualGuest(), wanted | {"sshKeys": [other]})[0] != made


def test_a_guest_that_cannot_be_finished_is_cancelled(
    world: World, wanted: Properties, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise PluginError("it does not start")

    monkeypatch.setattr(Guest, "switch", fail)
    with pytest.raises(PluginError, match="it does not start"):
        make(VirtualGuest(), wanted)
    assert world.every("guests") == []


def test_a_guest_whose_making_is_interrupted_is_cancelled(
    world: World, wanted: Properties, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def interrupted() -> None:
        waiting = asyncio.Event()

        async def wait(*_: object, **__: object) -> None:
            waiting.set()
            await asyncio.sleep(60)

        monkeypatch.setattr(Guest, "switch", wait)
        creating = asyncio.create_task(VirtualGuest().create(operation(VirtualGuest(), wanted)))
        await waiting.wait()
        assert len(world.every("guests")) == 1
        creating.cancel()
        with pytest.raises(asyncio.CancelledError):
            await creating

    asyncio.run(interrupted())
    assert world.every("guests") == []


def test_an_api_that_is_busy_for_a_moment_ends_no_wait(world: World, wanted: Properties) -> None:
    world.set_fault("busy", 2)
    made, _ = make(VirtualGuest(), wanted)
    assert world.fault("busy") == 0
    assert [there["id"] for there in world.every("guests")] == [made]


def test_a_wait_ends_with_the_operation(
    world: World, wanted: Properties, monkeypatch: pytest.MonkeyPatch, power: dict[str, bool]
) -> None:
    made, _ = make(VirtualGuest(), wanted)
    power["ignores shutdown"] = True
    monkeypatch.setattr(guest, "GUEST_SECONDS", 30.0)
    op = operation(VirtualGuest(), wanted | {"running": False}, id=made, timeout=0.5)
    with pytest.raises(PluginError, match=f"guest {made} never switched off"):
        asyncio.run(VirtualGuest().update(op))


def test_a_guest_that_ignores_a_shutdown_is_switched_off(
    world: World, wanted: Properties, monkeypatch: pytest.MonkeyPatch, power: dict[str, bool]
) -> None:
    made, _ = make(VirtualGuest(), wanted)
    power["ignores shutdown"] = True
    monkeypatch.setattr(guest, "GUEST_SECONDS", 0.05)
    change(VirtualGuest(), wanted, wanted | {"running": False}, made)
    assert power[made] is False
    switched = [call.rpartition("/")[2] for call in world.calls() if "/power" in call]
    assert switched == ["powerOffSoft.json", "powerOff.json"]
    assert change(VirtualGuest(), wanted | {"running": False}, wanted, made)["address"] == "192.0.2.2"


def test_a_kill_does_not_ask_the_guest(world: World, wanted: Properties, monkeypatch: pytest.MonkeyPatch) -> None:
    made, _ = make(VirtualGuest(), wanted)
    monkeypatch.setenv("MCTL_HARD_STOP", "1")
    change(VirtualGuest(), wanted, wanted | {"running": False}, made)
    assert [call.rpartition("/")[2] for call in world.calls() if "/power" in call] == ["powerOff.json"]


def test_size_name_and_tags_change_in_place(world: World, wanted: Properties) -> None:
    news = wanted | {"hostname": "www", "memory": 4096, "tags": ["other"]}
    old, new = operation(VirtualGuest(), wanted), operation(VirtualGuest(), news)
    diff = VirtualGuest().diff(Operation(urn=new.urn, old_inputs=old.news, news=new.news))
    assert (set(diff.diffs), diff.replaces) == ({"hostname", "memory", "tags"}, ())
    made, _ = make(VirtualGuest(), wanted)
    change(VirtualGuest(), wanted, news, made)
    (there,) = world.every("guests")
    assert (there["id"], there["hostname"], there["maxMemory"], there["tags"]) == (made, "www", 4096, ["other"])


@pytest.mark.parametrize("key", ["image", "datacenter", "disk", "userData", "sshKeys", "publicVlan"])
def test_what_a_guest_is_made_of_replaces_it(key: str) -> None:
    olds = dict.fromkeys(VirtualGuest.required, "old") | VirtualGuest.defaults
    diff = VirtualGuest().diff(Operation(urn="u", old_inputs=olds, news=olds | {key: "new"}))
    assert (diff.diffs, diff.replaces, diff.delete_before_replace) == ((key,), (key,), True)


def test_where_the_api_is_changes_nothing() -> None:
    news = {"label": "a", "publicKey": KEY, "endpoint": "https://new/rest"}
    diff = SshKey().diff(Operation(urn="u", old_inputs=news | {"endpoint": "https://old/rest"}, news=news))
    assert (diff.diffs, diff.replaces) == ((), ())


def test_a_preview_asks_nobody_and_says_what_is_not_known() -> None:
    values = dict.fromkeys(VirtualGuest.required, 1)
    op = Operation(urn="u", news=VirtualGuest.defaults | values, preview=True)
    made, outputs = asyncio.run(VirtualGuest().create(op))
    assert (made, outputs["address"], outputs["privateAddress"]) == ("", UNKNOWN, UNKNOWN)


def test_unknown_and_missing_inputs_are_refused() -> None:
    _, failures = SshKey().check(Operation(urn="urn:pulumi:s::p::t::web-key", news={"label": "a", "colour": "red"}))
    assert [(failure.property, failure.reason) for failure in failures] == [
        ("colour", "web-key has no input colour"),
        ("publicKey", "publicKey is missing"),
    ]


def test_only_the_rules_that_differ_are_changed(world: World) -> None:
    olds, news = {"name": "g", "rules": [EGRESS, SSH]}, {"name": "g", "rules": [WEB, EGRESS]}
    made, _ = make(SecurityGroup(), olds)
    kept = world.every("groups")[0]["rules"][0]
    change(SecurityGroup(), olds, news, made)
    first, second = world.every("groups")[0]["rules"]
    assert (first, second | {"id": 0}) == (kept, WEB | {"id": 0})
    found = look(SecurityGroup(), news, made)
    assert found
    assert found[1]["rules"] == news["rules"], "the API gives them in another order"
    found = look(SecurityGroup(), olds, made)
    assert found
    assert found[1]["rules"] != olds["rules"]


def test_a_group_without_its_rules_is_not_left_behind(world: World) -> None:
    with pytest.raises(PluginError, match="Invalid or duplicate rule"):
        make(SecurityGroup(), {"name": "g", "rules": [EGRESS, {"direction": "sideways"}]})
    assert world.every("groups") == []


def test_a_key_or_group_that_a_killed_run_made_is_taken_over(world: World) -> None:
    for resource, wanted in (
        (SshKey(), {"label": "l", "publicKey": KEY, "notes": "ours"}),
        (SecurityGroup(), {"name": "g", "description": "ours", "rules": [EGRESS]}),
    ):
        assert make(resource, wanted)[0] == make(resource, wanted)[0]
    with pytest.raises(PluginError, match="SSH Key already exists"):
        make(SshKey(), {"label": "l", "publicKey": KEY, "notes": "another's"})


@pytest.mark.parametrize("resource", [SshKey(), SecurityGroup(), VirtualGuest()], ids=["key", "group", "guest"])
def test_what_is_gone_is_seen_and_deleted_without_complaint(world: World, resource: Declared) -> None:
    known = {"endpoint": os.environ["SOFTLAYER_API_ENDPOINT"]}
    op = Operation(urn="u", id="404", olds=known, old_inputs=known)
    assert asyncio.run(resource.read(op)) is None
    asyncio.run(resource.delete(op))


def test_refused_credentials_are_told_without_them(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SL_API_KEY", "not-the-key")
    with pytest.raises(api.RefusedError) as raised:
        make(SshKey(), {"label": "l", "publicKey": KEY})
    assert str(raised.value) == "SoftLayer: error 401: Invalid API token."


def test_docker_machines_variables_count_too(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    for ours, theirs in (("SL_USERNAME", "SOFTLAYER_USER"), ("SL_API_KEY", "SOFTLAYER_API_KEY")):
        monkeypatch.setenv(theirs, os.environ[ours])
        monkeypatch.delenv(ours)
    assert api.has_credentials()
    assert make(SshKey(), {"label": "l", "publicKey": KEY})[0]
