"""OpenStack's driver beside its `up`: who one is, what is left behind, and what its options may be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.components import drivers
from infra.components.drivers import openstack, openstack_api, rackspace
from infra.components.drivers.openstack import OpenStackArgs
from infra.components.ownership import name as name_of
from infra.components.ownership import tags
from infra.errors import NotFoundError, PreCreateError, UsageError
from infra.machine import MachineSpec
from tests.clouds import openstack as standin
from tests.clouds.api import CA
from tests.clouds.world import World

OURS = tags("0123456789abcdef", "shop", "prod.eu", "web.1")
THEIRS = tags("fedcba9876543210", "shop", "prod.eu", "web.1")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path / "world")
    with standin.CLOUD.serve(world) as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(world.folder / CA))
        yield world


def test_the_account_says_who_one_is_and_what_is_left(world: World) -> None:
    args = OpenStackArgs(flavor_name="m1.small", floatingip_pool="public")
    world.put("servers", "server-1", {"name": "another", "flavorName": "m1.medium"})
    assert [(each.name, each.ok, each.value) for each in openstack_api.account(args)] == [
        ("Account", True, "ops in project shop"),
        ("Role", True, "member, reader"),
        ("Region", True, "RegionOne"),
        ("Flavor", True, "m1.small"),
        ("Floating IPs", True, "public"),
        ("Quota", True, "9 of 10 servers left"),
        ("Quota", True, "18 of 20 vCPUs left"),
        ("Quota", True, "47104 of 51200 MB of memory left"),
    ]


def test_what_is_missing_is_named_with_what_mends_it(world: World) -> None:
    world.set_fault("roles", ["reader"])
    world.set_fault("limit", 1)
    world.put("servers", "server-1", {"name": "another"})
    args = OpenStackArgs(flavor_name="m1.huge", floatingip_pool="private")
    assert [(each.name, each.value, each.mend) for each in openstack_api.account(args) if not each.ok] == [
        ("Role", "reader", "mctl policy openstack says which is needed"),
        ("Flavor", "there is no m1.huge", "choose another with --openstack-flavor-name"),
        ("Quota", "0 of 1 servers left", "ask for more"),
    ]


def test_a_quota_counts_what_the_flavor_takes_and_may_be_without_limit(world: World) -> None:
    for name, value in (("limit", -1), ("cores", 3), ("memory", 8191)):
        world.set_fault(name, value)
    found = list(openstack_api.account(OpenStackArgs(flavor_name="gp.0.4.8")))
    assert [(each.ok, each.value, each.mend) for each in found if each.name == "Quota"] == [
        (True, "servers without limit", "ask for more"),
        (False, "3 of 3 vCPUs left", "ask for more"),
        (False, "8191 of 8191 MB of memory left", "ask for more"),
    ]


def test_an_address_without_a_login_is_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in [name for name in os.environ if name.startswith("OS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("OS_AUTH_URL", "http://127.0.0.1:1/v3")
    (found,) = openstack_api.account(OpenStackArgs())
    assert (found.name, found.ok, found.value) == ("Credentials", False, "openstack: password is a required attribute")


def test_a_region_without_servers_ends_the_look(world: World) -> None:
    found = list(openstack_api.account(OpenStackArgs(region="Nowhere")))
    assert (found[-1].name, found[-1].ok, found[-1].value) == ("Region", False, "Nowhere has no servers")
    assert world.calls() == ["POST /v3/auth/tokens"]


def test_orphans_are_what_bears_our_tags_and_can_be_deleted_in_their_order(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.clouds.instances.remove", lambda *_: None)
    for number, whose in enumerate((OURS, THEIRS), start=1):
        world.put(
            "keypairs", name_of(whose, *openstack_api.KEY_PAIR), {"name": name_of(whose, *openstack_api.KEY_PAIR)}
        )
        world.put("servers", f"server-{number}", {"name": "web.1", "metadata": whose})
        for kind in ("security_groups", "ports", "floating_ips"):
            world.put(kind, f"{kind}-{number}", {"tags": openstack_api.tags(whose)})
    world.put("keypairs", "laptop", {"name": "laptop"})
    found = list(openstack_api.orphans(OpenStackArgs(), {"mctl-owner": OURS["mctl-owner"]}))
    name = name_of(OURS, *openstack_api.KEY_PAIR)
    assert [(each.kind, each.id, each.stack, each.machine) for each in found] == [
        ("server", "server-1", "prod.eu", "web.1"),
        ("floating IP", "floating_ips-1", "prod.eu", "web.1"),
        ("port", "ports-1", "prod.eu", "web.1"),
        ("security group", "security_groups-1", "prod.eu", "web.1"),
        ("key pair", name, "prod.eu", "web.1"),
    ]
    for orphan in found:
        orphan.delete()
    assert world.left() == [
        *("floating_ips/floating_ips-2", "keypairs/laptop", f"keypairs/{name_of(THEIRS, *openstack_api.KEY_PAIR)}"),
        *("ports/ports-2", "security_groups/security_groups-2", "servers/server-2"),
    ]


def test_a_server_is_found_by_its_id_and_its_floating_ip_comes_first(world: World) -> None:
    fixed, six = ({"addr": addr, "version": version} for addr, version in (("10.0.0.7", 4), ("2001:db8::7", 6)))
    floating = {"addr": "198.51.100.7", "version": 4, "OS-EXT-IPS:type": "floating"}
    world.put("servers", "server-7", {"name": "old", "addresses": {"private": [fixed, six, floating]}})
    world.put("servers", "server-8", {"name": "alone", "addresses": {"private": [fixed, six]}})
    place = OpenStackArgs()
    assert (openstack_api.find(place, "server-7"), openstack_api.find(place, "server-8")) == (
        "198.51.100.7",
        "10.0.0.7",
    )
    assert openstack_api.find(OpenStackArgs(ip_version=6), "server-7") == "2001:db8::7"
    with pytest.raises(NotFoundError) as error:
        openstack_api.find(place, "server-9")
    assert error.value.message == "openstack has no server server-9 in the project"
    world.put("servers", "server-9", {"name": "booting"})
    assert openstack_api.find(place, "server-9") == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "provider openstack needs --openstack-flavor-name or --openstack-flavor-id"),
        ({"flavor_id": "1", "ip_version": "5"}, "--openstack-ip-version 5 is neither 4 nor 6"),
        ({"flavor_id": "1", "metadata": "a,b,c"}, "--openstack-metadata is not KEY,VALUE,KEY,VALUE"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, str], message: str) -> None:
    args = drivers.read_args(openstack.DRIVER, "web", options)
    with pytest.raises(UsageError) as error:
        openstack.check(MachineSpec(name="web", provider="openstack"), args)
    assert error.value.message == message


def test_the_only_network_is_taken_and_of_several_one_must_be_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    del world
    spec, args = MachineSpec(name="web", provider="openstack"), OpenStackArgs(flavor_name="m1.small")
    assert openstack.check(spec, args).options == {"net_id": "net-1"}
    monkeypatch.setitem(standin.NETWORKS, "net-9", "backup")
    with pytest.raises(PreCreateError) as error:
        openstack.check(spec, args)
    assert error.value.message == "the project has 2 networks"
    assert error.value.mend == "choose one of: backup, private: --openstack-net-name NETWORK"


def test_metadata_is_read_in_pairs() -> None:
    assert OpenStackArgs(metadata=("a", "1", "b", "2")).pairs() == {"a": "1", "b": "2"}


def test_rackspaces_endpoint_is_its_regions_unless_the_environment_names_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_USERNAME"):
        monkeypatch.delenv(name, raising=False)
    args = rackspace.RackspaceArgs(region="SJC3")
    own = {"region_name": "SJC3", "auth_url": "https://keystone.api.sjc3.rackspacecloud.com/v3"}
    assert args.connection() == own
    monkeypatch.setenv("OS_USERNAME", "ops")
    domains = {"user_domain_name": "rackspace_cloud_domain", "project_domain_name": "rackspace_cloud_domain"}
    assert args.connection() == own | domains
    monkeypatch.setenv("OS_AUTH_URL", "https://keystone.example.com/v3")
    assert args.connection()["auth_url"] == "https://keystone.example.com/v3"
    monkeypatch.setenv("OS_CLOUD", "flex")
    assert args.connection() == {"region_name": "SJC3"}
