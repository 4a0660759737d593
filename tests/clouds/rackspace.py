"""A stand-in Rackspace: the stand-in OpenStack, which one logs in to by name and password."""

from __future__ import annotations

from functools import partial

from tests.clouds import openstack
from tests.clouds.cloud import Cloud

CLOUD = Cloud(
    provider="rackspace",
    plugins={"openstack": "openstack"},
    instances="servers",
    serve=partial(
        openstack.serve,
        OS_USERNAME="ops",
        OS_PASSWORD=openstack.PASSWORD,
        OS_PROJECT_NAME="123456_Flex",
    ),
    resize=("--rackspace-flavor-name", "gp.0.4.8"),
    resized={"flavorName": "gp.0.4.8"},
    zones=("az1", "az2"),
    no_credentials={"OS_PASSWORD": "another"},
    moves=False,
)
