"""A server at Rackspace's OpenStack cloud: openstack's, with Rackspace's endpoints, flavors and addresses preset.

Rackspace's former cloud, which docker-machine knew, speaks an Identity API of its own that no tool does any more.
https://docs.rackspace.com/docs/rest-api-guide-for-openstack-flex
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

import pulumi
import pulumi_openstack as openstack

from infra.components.drivers import About, Driver, Identity, Vm, openstack_api, option
from infra.components.drivers import openstack as base
from infra.machine import MachineSpec

ENDPOINT = "https://keystone.api.{}.rackspacecloud.com/v3"
DOMAIN = "rackspace_cloud_domain"


@dataclass(frozen=True, kw_only=True)
class RackspaceArgs(base.OpenStackArgs):
    """Say what OpenStack's options say, with what is Rackspace's own preset."""

    provider: ClassVar[str] = "rackspace"

    region: str = option("DFW3", help="Region", env="OS_REGION_NAME")
    zone: str = option("", help="Availability zone", env="OS_AVAILABILITY_ZONE")
    flavor_name: str = option("gp.0.2.2", help="Flavor, by its name", env="OS_FLAVOR_NAME")
    floatingip_pool: str = option("PUBLICNET", help="Network that gives it a floating IP", env="OS_FLOATINGIP_POOL")

    def connection(self) -> dict[str, str]:
        """Say where the API is, unless the environment does."""
        place = {"region_name": self.region}
        if os.environ.get("OS_CLOUD"):
            return place
        place["auth_url"] = os.environ.get("OS_AUTH_URL") or ENDPOINT.format(self.region.lower())
        if os.environ.get("OS_USERNAME"):
            place |= {"user_domain_name": DOMAIN, "project_domain_name": DOMAIN}
        return place


def vm(spec: MachineSpec, args: RackspaceArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the server as one of OpenStack's. Who one is stays in the environment, and out of the stack state."""
    place = args.connection()
    provider = openstack.Provider(
        f"{spec.name}-rackspace",
        region=args.region,
        auth_url=place.get("auth_url"),
        user_domain_name=place.get("user_domain_name"),
        project_domain_name=place.get("project_domain_name"),
        opts=opts,
    )
    return base.vm(spec, args, identity, pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(provider=provider)))


ABOUT = About(
    title="Rackspace OpenStack Flex",
    credentials="`OS_USERNAME`, `OS_PASSWORD` and `OS_PROJECT_NAME`, or an application credential "
    "(`OS_APPLICATION_CREDENTIAL_ID`, `OS_APPLICATION_CREDENTIAL_SECRET`), or `OS_CLOUD`, the name of an entry in "
    "`clouds.yaml`.",
    example="mctl create web-1 --provider rackspace --rackspace-region SJC3",
    makes=base.ABOUT.makes.replace("--openstack-", "--rackspace-"),
    costs=base.ABOUT.costs,
)
DRIVER = Driver(
    name=RackspaceArgs.provider,
    args=RackspaceArgs,
    vm=vm,
    check=base.check,
    private_address=True,
    closes=True,
    no_capacity=base.NO_CAPACITY,
    account=openstack_api.account,
    policy=base.POLICY,
    orphans=openstack_api.orphans,
    find=openstack_api.find,
    about=ABOUT,
)
