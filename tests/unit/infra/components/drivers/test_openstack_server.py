"""What is declared at OpenStack, and at Rackspace, for one machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi

from infra.components.drivers import Identity, Vm, openstack, rackspace
from infra.components.drivers.openstack import OpenStackArgs
from infra.components.ownership import tags
from infra.machine import MachineSpec

awaited: Callable[[Callable[[], Any]], Callable[[], Any]] = pulumi.runtime.test
SPEC = MachineSpec(name="web", provider="openstack", allow_cidrs=("203.0.113.7/32", "2001:db8::7/128"))
SMALL: dict[str, Any] = {"flavor_name": "m1.small", "net_id": "net-1"}
COMPUTED = {"allFixedIps": ["10.0.0.5", "2001:db8::5"], "address": "198.51.100.9"}


class Cloud(pulumi.runtime.Mocks):
    """Stand for the engine, and note each resource's inputs and who makes it."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}
        self.makers: dict[str, str] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.name], self.makers[args.name] = dict(args.inputs), args.provider or ""
        return f"{args.name}-id", {**COMPUTED, **args.inputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        return {**args.args, "id": f"{args.token.rpartition(':')[2]}-id"}


def declare(spec: MachineSpec, args: OpenStackArgs) -> tuple[Cloud, Vm]:
    cloud = Cloud()
    pulumi.runtime.set_mocks(cloud, project="mctl", stack="test", preview=False)
    identity = Identity(
        user_public_key="ssh-ed25519 AAAA",
        user_private_key="user's",
        host_public_key="ssh-ed25519 BBBB",
        host_private_key="host's",
        tags=tags("0123456789abcdef", "mctl", "test", "web"),
    )
    make = rackspace.vm if isinstance(args, rackspace.RackspaceArgs) else openstack.vm
    return cloud, make(spec, args, identity, pulumi.ResourceOptions())  # type: ignore[arg-type]


def made(vm: Vm) -> pulumi.Output[Any]:
    """Give the addresses once all is declared."""
    return pulumi.Output.all(vm.address, vm.private_address, vm.instance_id)


@awaited
def test_ssh_and_docker_are_open_to_the_allowed_networks_alone() -> Any:
    cloud, vm = declare(SPEC, OpenStackArgs(**SMALL))

    def check(addresses: list[str]) -> None:
        assert addresses == ["10.0.0.5", "10.0.0.5", "web-server-id"]
        rules = {
            (each["ethertype"], each["portRangeMin"], each["portRangeMax"], each["remoteIpPrefix"])
            for name, each in cloud.inputs.items()
            if name.startswith("web-allow-")
        }
        assert rules == {
            *(("IPv4", port, port, "203.0.113.7/32") for port in (22, 2376)),
            *(("IPv6", port, port, "2001:db8::7/128") for port in (22, 2376)),
        }
        assert cloud.inputs["web-port"]["securityGroupIds"] == ["web-group-id"]
        assert "mctl-machine=web" in cloud.inputs["web-port"]["tags"]
        assert cloud.inputs["web-server"]["metadata"]["mctl-machine"] == "web"

    return made(vm).apply(check)


@awaited
def test_a_floating_ip_is_the_address_and_bears_our_tags() -> Any:
    cloud, vm = declare(SPEC, OpenStackArgs(**SMALL, floatingip_pool="public", ip_version=6))

    def check(addresses: list[str]) -> None:
        assert addresses == ["198.51.100.9", "2001:db8::5", "web-server-id"]
        assert "mctl-machine=web" in cloud.inputs["web-address"]["tags"]
        assert cloud.inputs["web-address-association"]["portId"] == "web-port-id"

    return made(vm).apply(check)


@awaited
def test_a_server_may_boot_from_a_volume_that_goes_with_it() -> Any:
    args = OpenStackArgs(**SMALL, boot_from_volume=True, volume_size=30, volume_type="LUKS", config_drive=True)
    cloud, vm = declare(SPEC, args)

    def check(_: list[str]) -> None:
        server = cloud.inputs["web-server"]
        (volume,) = server["blockDevices"]
        assert (volume["uuid"], volume["volumeSize"], volume["volumeType"]) == ("getImage-id", 30, "LUKS")
        assert volume["deleteOnTermination"] is True
        assert "imageId" not in server
        assert server["configDrive"] is True

    return made(vm).apply(check)


@awaited
def test_all_at_rackspace_is_made_at_its_endpoint_and_no_credential_is_declared() -> Any:
    cloud, vm = declare(SPEC, rackspace.RackspaceArgs(region="SJC3", net_id="net-1"))

    def check(_: list[str]) -> None:
        endpoint = cloud.inputs["web-rackspace"]
        assert endpoint["authUrl"] == "https://keystone.api.sjc3.rackspacecloud.com/v3"
        assert endpoint["region"] == "SJC3"
        assert not {"password", "userName", "applicationCredentialSecret"} & endpoint.keys()
        assert all(
            maker.endswith("web-rackspace-id") for name, maker in cloud.makers.items() if name != "web-rackspace"
        )

    return made(vm).apply(check)
