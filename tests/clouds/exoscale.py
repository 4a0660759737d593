"""A stand-in Exoscale: its plugin, and the part of its API that its own SDK is used for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote

import pulumiverse_exoscale as exoscale

from infra.plugins.server import PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

KEY = "EXO-of-the-tests"
ZONES = ("ch-dk-2", "de-fra-1")
TYPES = {"standard.small", "standard.medium"}
TEMPLATES = {"Linux Debian 12 (Bookworm) 64-bit": "template-12", "Linux Ubuntu 24.04 LTS 64-bit": "template-24"}
PROTOCOLS = {"TCP", "UDP", "ICMP", "ICMPV6", "AH", "ESP", "GRE", "IPIP"}
LIMIT = 10
ZONES_ARE_PUBLIC = ("zone",)


class SshKey(StandIn):
    sdk, kind = exoscale.SshKey, "ssh_keys"
    required = frozenset({"name"})
    replaces = frozenset({"name", "publicKey"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if "id" not in news and world.get(self.kind, news["name"]):
            yield "conflict: SSH key already exists"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del world
        return news["name"], {}


class SecurityGroup(StandIn):
    sdk, kind = exoscale.SecurityGroup, "security_groups"
    required = frozenset({"name"})
    replaces = frozenset({"name", "description"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["name"] in [group["name"] for group in world.every(self.kind) if group["id"] != news.get("id")]:
            yield "conflict: security group already exists"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del news
        return f"group-{world.number()}", {}

    def unmake(self, world: World, facts: Facts) -> None:
        if any(facts["id"] in each.get("securityGroupIds", ()) for each in world.every("instances")):
            raise PluginError("conflict: security group is in use")


class SecurityGroupRule(StandIn):
    sdk, kind = exoscale.SecurityGroupRule, "security_group_rules"
    replaces = frozenset({"securityGroupId", "type", "protocol", "startPort", "endPort", "cidr"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not world.get("security_groups", news["securityGroupId"]):
            yield "not found: security group"
        if news["type"] not in ("INGRESS", "EGRESS") or news["protocol"] not in PROTOCOLS:
            yield f"expected type and protocol in capitals, got {news['type']} {news['protocol']}"
        ports = [port for port in (news.get("startPort"), news.get("endPort")) if port]
        if len(ports) != (2 if news["protocol"] in ("TCP", "UDP") else 0):
            yield f"invalid request: {news['protocol']} from {news.get('startPort')} to {news.get('endPort')}"
        if str(ip_network(news["cidr"])) != news["cidr"]:
            yield f"invalid request: {news['cidr']}"


class ComputeInstance(StandIn):
    sdk, kind = exoscale.ComputeInstance, "instances"
    required = frozenset({"name"})
    replaces = frozenset({"templateId", "zone", "sshKeys", "antiAffinityGroupIds"})
    computed = frozenset({"publicIpAddress", "ipv6Address", "createdAt"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["zone"] not in ZONES:
            yield f"expected zone to be one of {ZONES}, got {news['zone']}"
        if news["type"] not in TYPES:
            yield f"not found: instance type {news['type']}"
        if news["templateId"] not in TEMPLATES.values():
            yield "not found: template"
        if news["diskSize"] < 10:
            yield "expected disk_size to be at least 10"
        if news.get("state", "running") not in ("running", "stopped"):
            yield f"expected state to be running or stopped, got {news['state']}"
        yield from (f"not found: SSH key {key}" for key in news.get("sshKeys", ()) if not world.get("ssh_keys", key))
        groups = news.get("securityGroupIds", ())
        yield from (f"not found: {group}" for group in groups if not world.get("security_groups", group))
        if "id" not in news and len(world.every(self.kind)) >= (world.fault("limit") or LIMIT):
            yield "forbidden: the quota of instances is reached"
        if "id" not in news and news["zone"] in (world.fault("full") or ()):
            yield "unavailable: insufficient capacity in the zone"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = f"instance-{world.number()}"
        keys = [(world.get("ssh_keys", key) or {})["publicKey"] for key in news.get("sshKeys", ())]
        seed = {"hostname": news["name"], "user_data": news.get("userData", ""), "public_keys": keys}
        address = instances.start(world, made, **seed)
        if news.get("state") == "stopped":
            instances.stop(world, made)
        return made, {"publicIpAddress": address, "ipv6Address": "", "createdAt": "2026-01-01T00:00:00Z"}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        if news["diskSize"] < facts["diskSize"]:
            raise PluginError("invalid request: a disk can't shrink")
        runs, wanted = instances.runs(world, facts["id"]), news.get("state", "running") == "running"
        if runs and not wanted:
            instances.stop(world, facts["id"])
        if wanted and not runs:
            instances.resume(world, facts["id"], facts["publicIpAddress"])
        return {}

    def look(self, world: World, facts: Facts) -> Facts:
        return {"state": "running" if instances.runs(world, facts["id"]) else "stopped"}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])


async def _get_template(arguments: Properties) -> Properties:
    asked = plain(arguments)
    if asked["zone"] not in ZONES or asked.get("name") not in TEMPLATES:
        raise PluginError(f"template not found: {asked.get('name')}")
    return {"id": TEMPLATES[asked["name"]], "name": asked["name"], "zone": asked["zone"]}


PLUGIN = plugin(
    *(SshKey(), SecurityGroup(), SecurityGroupRule(), ComputeInstance()),
    invokes={"exoscale:index/getTemplate:getTemplate": _get_template},
)


def _zones(_world: World, request: api.Request) -> Any:
    here = f"https://{request.headers['Host']}"
    return {"zones": [{"name": zone, "api-endpoint": f"{here}/{zone}/v2"} for zone in ZONES]}


def _instances(world: World, request: api.Request) -> Any:
    found = [each for each in world.every("instances") if request.parts[0] in ("", f"/{each['zone']}")]
    told = {"id": "id", "name": "name", "labels": "labels", "manager": "manager", "public-ip": "publicIpAddress"}
    return {"instances": [{key: each[own] for key, own in told.items() if own in each} for each in found]}


def _named(kind: str, collection: str) -> api.Route:
    def route(world: World, _request: api.Request) -> Any:
        return {collection: [{"id": each["id"], "name": each["name"]} for each in world.every(kind)]}

    return route


def _delete(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> Any:
        gone = unquote(request.parts[-1])
        if kind == "instances":
            instances.remove(world, gone)
        world.drop(kind, gone)
        return {"id": "operation-1", "state": "pending"}

    return route


def _quotas(world: World, _request: api.Request) -> Any:
    used, most = len(world.every("instances")), world.fault("limit") or LIMIT
    return {"quotas": [{"resource": "instance", "usage": used, "limit": most}]}


def _types(_world: World, _request: api.Request) -> Any:
    known = (each.split(".") for each in sorted(TYPES))
    return {"instance-types": [{"family": family, "size": size} for family, size in known]}


def _guard(_world: World, request: api.Request) -> None:
    known = f"EXO2-HMAC-SHA256 credential={KEY},"
    if request.parts != ZONES_ARE_PUBLIC and not request.headers.get("Authorization", "").startswith(known):
        raise api.Answer(403, {"message": "Invalid credentials"})


ROUTES: dict[str, api.Route] = {
    r"GET /v2/(zone)": _zones,
    r"GET /v2/instance-type": _types,
    r"GET /v2/organization": lambda _world, _request: {"id": "organization-1", "name": "Example"},
    r"GET /v2/quota": _quotas,
    r"GET (?:/[\w-]+)?/v2/operation/.+": lambda _world, _request: {"id": "operation-1", "state": "success"},
    r"GET ((?:/[\w-]+)?)/v2/instance": _instances,
    r"DELETE ((?:/[\w-]+)?)/v2/instance/([\w-]+)": _delete("instances"),
    r"GET /v2/security-group": _named("security_groups", "security-groups"),
    r"DELETE /v2/security-group/([\w-]+)": _delete("security_groups"),
    r"GET /v2/ssh-key": _named("ssh_keys", "ssh-keys"),
    r"DELETE /v2/ssh-key/([^/]+)": _delete("ssh_keys"),
}


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES, _guard) as address:
        yield {
            "EXOSCALE_API_KEY": KEY,
            "EXOSCALE_API_SECRET": "secret-of-the-tests",
            "EXOSCALE_API_ENDPOINT": f"{address}/v2",
        }


CLOUD = Cloud(
    provider="exoscale",
    plugins={"exoscale": "exoscale"},
    instances="instances",
    serve=_serve,
    resize=("--exoscale-instance-profile", "Medium"),
    resized={"type": "standard.medium"},
    zones=ZONES,
    no_credentials={"EXOSCALE_API_KEY": "EXO-another"},
    moves=False,
)
