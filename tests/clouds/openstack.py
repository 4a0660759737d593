"""A stand-in OpenStack: its plugin, and the parts of Keystone, Nova and Neutron that openstacksdk is used for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from ipaddress import ip_network
from typing import Any

from pulumi_openstack import compute, networking

from infra.plugins.server import PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

SECRET = "application-secret-of-the-tests"
PASSWORD = "password-of-the-tests"
TOKEN = "token-of-the-tests"
FLAVORS = {"m1.small": (1, 2048), "m1.medium": (2, 4096), "gp.0.2.2": (2, 2048), "gp.0.4.8": (4, 8192)}
IMAGES = {"image-1": "Debian 11", "image-2": "debian-12-arm64", "image-3": "Debian 12 (bookworm)"}
NETWORKS = {"net-1": "private"}
POOLS = {"net-2": "public", "net-3": "PUBLICNET"}
GROUPS = {"default": "group-1"}
LIMIT, CORES, MEMORY_MB = 10, 20, 51200
PROTOCOLS = {"tcp", "udp", "icmp", "esp", "ah", "gre", "sctp"}
FULL = "Error waiting for instance to become ready: No valid host was found. There are not enough hosts available."


class Keypair(StandIn):
    sdk, kind = compute.Keypair, "keypairs"
    required = frozenset({"name", "publicKey"})
    replaces = frozenset({"name", "publicKey"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not re.fullmatch(r"[\w -]{1,255}", news["name"], re.ASCII):
            yield "400 Keypair name contains unsafe characters"
        if "id" not in news and world.get(self.kind, news["name"]):
            yield f"409 Key pair '{news['name']}' already exists."

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del world
        return news["name"], {}


class SecGroup(StandIn):
    sdk, kind = networking.SecGroup, "security_groups"
    required = frozenset({"name"})

    def unmake(self, world: World, facts: Facts) -> None:
        if any(facts["id"] in port.get("securityGroupIds", ()) for port in world.every("ports")):
            raise PluginError(f"409 Security Group {facts['id']} in use.")
        for rule in world.every("security_group_rules"):
            if rule["securityGroupId"] == facts["id"]:
                world.drop("security_group_rules", rule["id"])


class SecGroupRule(StandIn):
    sdk, kind = networking.SecGroupRule, "security_group_rules"
    replaces = frozenset({"securityGroupId", "portRangeMin", "portRangeMax", "protocol", "remoteIpPrefix"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not world.get("security_groups", news["securityGroupId"]):
            yield f"404 Security group {news['securityGroupId']} does not exist"
        if news["ethertype"] != f"IPv{ip_network(news['remoteIpPrefix']).version}":
            yield f"400 Conflicting value ethertype {news['ethertype']} for CIDR {news['remoteIpPrefix']}"
        if news["protocol"] not in PROTOCOLS or (news.get("portRangeMin") and news["protocol"] not in ("tcp", "udp")):
            yield f"400 Security group rule protocol {news['protocol']} not supported, or it has no ports."
        if any({**rule, "id": ""} == {**news, "id": ""} for rule in world.every(self.kind)):
            yield "409 Security group rule already exists."


class Port(StandIn):
    sdk, kind = networking.Port, "ports"
    replaces = frozenset({"networkId"})
    computed = frozenset({"allFixedIps"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["networkId"] not in NETWORKS:
            yield f"404 Network {news['networkId']} could not be found."
        for group in news.get("securityGroupIds", ()):
            if group not in GROUPS.values() and not world.get("security_groups", group):
                yield f"404 Security group {group} does not exist"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del news
        return f"port-{world.number()}", {"allFixedIps": [instances.new_address(world)]}


class FloatingIp(StandIn):
    sdk, kind = networking.FloatingIp, "floating_ips"
    replaces = frozenset({"pool"})
    computed = frozenset({"address"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        del world
        if news["pool"] not in POOLS.values():
            yield f"No Network found for {news['pool']}"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del news
        return f"floating-{world.number()}", {"address": instances.new_address(world)}


class FloatingIpAssociate(StandIn):
    sdk, kind = networking.FloatingIpAssociate, "floating_ip_associations"
    replaces = frozenset({"floatingIp"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["floatingIp"] not in [each["address"] for each in world.every("floating_ips")]:
            yield f"404 Floating IP {news['floatingIp']} could not be found"
        if not world.get("ports", news["portId"]):
            yield f"404 Port {news['portId']} could not be found."

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        for server in world.every("servers"):
            if server["networks"][0]["port"] == news["portId"]:
                instances.lead(world, server["id"], news["floatingIp"])
        (floating,) = (each for each in world.every("floating_ips") if each["address"] == news["floatingIp"])
        return floating["id"], {}


class Instance(StandIn):
    sdk, kind = compute.Instance, "servers"
    required = frozenset({"name", "networks"})
    replaces = frozenset({"imageId", "availabilityZone", "keyPair", "userData", "networks", "blockDevices"})
    computed = frozenset({"accessIpV4"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if (news.get("flavorName") or news.get("flavorId")) not in FLAVORS:
            yield "400 Flavor could not be found."
        images = [news.get("imageId"), *(each["uuid"] for each in news.get("blockDevices") or ())]
        if not set(images) & IMAGES.keys():
            yield f"400 Can not find requested image {images}"
        if news.get("keyPair") and not world.get("keypairs", news["keyPair"]):
            yield "400 Invalid key_name provided."
        port = news["networks"][0]["port"]
        if not world.get("ports", port):
            yield f"400 Port {port} could not be found."
        if "id" not in news:
            if port in [server["networks"][0]["port"] for server in world.every(self.kind)]:
                yield f"409 Port {port} is still in use."
            if len(world.every(self.kind)) >= (world.fault("limit") or LIMIT):
                yield "403 Quota exceeded for instances: Requested 1"
            if news.get("availabilityZone") in (world.fault("full") or ()):
                yield FULL

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = f"server-{world.number()}"
        port = world.get("ports", news["networks"][0]["port"]) or {}
        key = world.get("keypairs", news.get("keyPair", ""))
        keys = [key["publicKey"]] if key else []
        address = port["allFixedIps"][0]
        seed = {"hostname": news["name"], "user_data": news.get("userData", ""), "public_keys": keys}
        instances.start(world, made, address=address, **seed)
        _lead(world, made, port["id"])
        if news.get("powerState") == "shutoff":
            instances.stop(world, made)
        return made, {"accessIpV4": address}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        runs, wanted = instances.runs(world, facts["id"]), news.get("powerState", "active") == "active"
        if runs and not wanted:
            instances.stop(world, facts["id"])
        if wanted and not runs:
            instances.resume(world, facts["id"], facts["accessIpV4"])
            _lead(world, facts["id"], facts["networks"][0]["port"])
        return {}

    def look(self, world: World, facts: Facts) -> Facts:
        return {"powerState": "active" if instances.runs(world, facts["id"]) else "shutoff"}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])


def _lead(world: World, server: str, port: str) -> None:
    for association in world.every("floating_ip_associations"):
        if association["portId"] == port:
            instances.lead(world, server, association["floatingIp"])


async def _get_image(arguments: Properties) -> Properties:
    asked = plain(arguments)
    for image, name in sorted(IMAGES.items(), reverse=True):
        if name == asked.get("name") or ("nameRegex" in asked and re.search(asked["nameRegex"], name)):
            return {"id": image, "name": name}
    raise PluginError("Your query returned no results. Please change your search criteria and try again.")


async def _get_by_name(known: Mapping[str, str], arguments: Properties) -> Properties:
    name = plain(arguments).get("name")
    if name not in known:
        raise PluginError(f"Your query returned no results: {name}")
    return {"id": known[name], "name": name}


PLUGIN = plugin(
    *(Keypair(), SecGroup(), SecGroupRule(), Port(), FloatingIp(), FloatingIpAssociate(), Instance()),
    invokes={
        "openstack:images/getImage:getImage": _get_image,
        "openstack:networking/getNetwork:getNetwork": partial(_get_by_name, {NETWORKS["net-1"]: "net-1"}),
        "openstack:networking/getSecGroup:getSecGroup": partial(_get_by_name, GROUPS),
    },
)


def _log_in(world: World, request: api.Request) -> None:
    identity = request.body["auth"]["identity"]
    given = identity.get("application_credential", {}).get("secret") or identity.get("password", {}).get(
        "user", {}
    ).get("password")
    if given not in (SECRET, PASSWORD):
        raise api.Answer(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})
    here = f"https://{request.headers['Host']}"
    endpoints = {"compute": f"{here}/compute/v2.1", "network": f"{here}/network", "identity": f"{here}/v3"}
    catalog = [
        {"type": kind, "name": kind, "endpoints": [{"interface": "public", "region": region, "url": url, "id": region}]}
        for region in ("RegionOne", "DFW3")
        for kind, url in endpoints.items()
    ]
    token = {
        "user": {"id": "user-1", "name": "ops", "domain": {"id": "default", "name": "Default"}},
        "project": {"id": "project-1", "name": "shop", "domain": {"id": "default", "name": "Default"}},
        "roles": [{"id": role, "name": role} for role in world.fault("roles") or ("member", "reader")],
        "expires_at": "2100-01-01T00:00:00.000000Z",
        "catalog": catalog,
        "methods": identity["methods"],
    }
    raise api.Answer(201, {"token": token}, {"X-Subject-Token": TOKEN})


def _version(path: str, number: str, newest: str = "") -> api.Route:
    def route(_world: World, request: api.Request) -> Any:
        link = {"rel": "self", "href": f"https://{request.headers['Host']}{path}"}
        return {
            "version": {"id": number, "status": "CURRENT", "version": newest, "min_version": "", "links": [link]},
            "versions": [{"id": number, "status": "CURRENT", "links": [link]}],
        }

    return route


def _servers(world: World, _request: api.Request) -> Any:
    return {"servers": [_server(each) for each in world.every("servers")]}


def _server(facts: Facts) -> Facts:
    told = {key: facts.get(key, {}) for key in ("metadata", "addresses")}
    return {"id": facts["id"], "name": facts["name"], "status": "ACTIVE", **told}


def _one_server(world: World, request: api.Request) -> Any:
    found = world.get("servers", request.parts[0])
    if found is None:
        raise api.Answer(404, {"itemNotFound": {"code": 404, "message": "Instance could not be found."}})
    return {"server": _server(found)}


def _flavors(_world: World, _request: api.Request) -> Any:
    sizes = sorted(FLAVORS.items())
    return {"flavors": [{"id": name, "name": name, "vcpus": cpus, "ram": memory} for name, (cpus, memory) in sizes]}


def _networks(_world: World, request: api.Request) -> Any:
    external = request.query.get("router:external")
    found = {**({} if external == "True" else NETWORKS), **({} if external == "False" else POOLS)}
    wanted = request.query.get("name")
    return {"networks": [{"id": key, "name": name} for key, name in found.items() if wanted in (None, name)]}


def _tagged(kind: str, collection: str) -> api.Route:
    def route(world: World, request: api.Request) -> Any:
        found = [each for each in world.every(kind) if request.query["tags"] in each.get("tags", ())]
        told = [{"id": each["id"], "name": each.get("name", ""), "tags": each["tags"]} for each in found]
        return {collection: told}

    return route


def _keypairs(world: World, _request: api.Request) -> Any:
    return {"keypairs": [{"keypair": {"name": each["name"]}} for each in world.every("keypairs")]}


def _delete(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> None:
        if kind == "servers":
            instances.remove(world, request.parts[0])
        world.drop(kind, request.parts[0].replace("%20", " "))

    return route


def _limits(world: World, _request: api.Request) -> Any:
    servers = world.every("servers")
    taken = [FLAVORS[each["flavorName"]] for each in servers if each.get("flavorName") in FLAVORS]
    limits = {
        "maxTotalInstances": world.fault("limit") or LIMIT,
        "totalInstancesUsed": len(servers),
        "maxTotalCores": world.fault("cores") or CORES,
        "totalCoresUsed": sum(cpus for cpus, _ in taken),
        "maxTotalRAMSize": world.fault("memory") or MEMORY_MB,
        "totalRAMUsed": sum(memory for _, memory in taken),
    }
    return {"limits": {"absolute": limits}}


def _not_found(_world: World, _request: api.Request) -> None:
    raise api.Answer(404, {"message": "not found"})


def _guard(_world: World, request: api.Request) -> None:
    if request.parts and request.headers.get("X-Auth-Token") != TOKEN:
        raise api.Answer(401, {"error": {"code": 401, "message": "The request you have made requires authentication."}})


ROUTES: dict[str, api.Route] = {
    r"GET /v3/?": _version("/v3/", "v3.14"),
    r"POST /v3/auth/tokens": _log_in,
    r"GET /compute/v2.1/?": _version("/compute/v2.1/", "v2.1", "2.90"),
    r"GET /network/?": _version("/network/v2.0/", "v2.0"),
    r"GET /network/v2.0/?": _version("/network/v2.0/", "v2.0"),
    r"GET /compute/v2.1/servers/detail()": _servers,
    r"GET /compute/v2.1/servers/([\w-]+)": _one_server,
    r"DELETE /compute/v2.1/servers/([\w-]+)": _delete("servers"),
    r"GET /compute/v2.1/flavors/detail()": _flavors,
    r"GET /compute/v2.1/flavors/([^/]+)": _not_found,
    r"GET /compute/v2.1/limits()": _limits,
    r"GET /compute/v2.1/os-keypairs()": _keypairs,
    r"DELETE /compute/v2.1/os-keypairs/([^/]+)": _delete("keypairs"),
    r"GET /network/v2.0/networks()": _networks,
    r"GET /network/v2.0/networks/([^/]+)": _not_found,
    r"GET /network/v2.0/floatingips()": _tagged("floating_ips", "floatingips"),
    r"DELETE /network/v2.0/floatingips/([\w-]+)": _delete("floating_ips"),
    r"GET /network/v2.0/ports()": _tagged("ports", "ports"),
    r"DELETE /network/v2.0/ports/([\w-]+)": _delete("ports"),
    r"GET /network/v2.0/security-groups()": _tagged("security_groups", "security_groups"),
    r"DELETE /network/v2.0/security-groups/([\w-]+)": _delete("security_groups"),
}


@contextmanager
def serve(world: World, **variables: str) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES, _guard) as address:
        yield {"OS_AUTH_URL": f"{address}/v3", **variables}


CLOUD = Cloud(
    provider="openstack",
    plugins={"openstack": "openstack"},
    instances="servers",
    serve=partial(
        serve,
        OS_AUTH_TYPE="v3applicationcredential",
        OS_APPLICATION_CREDENTIAL_ID="application-1",
        OS_APPLICATION_CREDENTIAL_SECRET=SECRET,
        OS_REGION_NAME="RegionOne",
    ),
    options=("--openstack-flavor-name", "m1.small", "--openstack-floatingip-pool", "public"),
    resize=("--openstack-flavor-name", "m1.medium"),
    resized={"flavorName": "m1.medium"},
    zones=("az-1", "az-2"),
    no_credentials={"OS_APPLICATION_CREDENTIAL_SECRET": "another"},
    moves=False,
)
