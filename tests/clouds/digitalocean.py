"""A stand-in DigitalOcean: its plugin, and the part of its API that pydo is used for."""

from __future__ import annotations

import hashlib
import re
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pulumi_digitalocean as digitalocean

from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

TOKEN = "dop_v1_of_the_tests"
PRICES = {"s-1vcpu-1gb": 6, "s-1vcpu-2gb": 12, "s-2vcpu-4gb": 24}  # US dollars a month
SIZES = set(PRICES)
REGIONS = {"nyc3": SIZES, "fra1": SIZES, "ams3": {"s-1vcpu-1gb"}}
IMAGES = {"debian-12-x64", "ubuntu-24-04-x64"}
TAG = r"[A-Za-z0-9:_-]{1,255}"
LIMIT = 10


class SshKey(StandIn):
    sdk, kind = digitalocean.SshKey, "ssh_keys"
    required = frozenset({"name"})
    replaces = frozenset({"publicKey"})
    computed = frozenset({"fingerprint"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        others = [key for key in world.every(self.kind) if key["id"] != news.get("id")]
        if news["publicKey"] in [key["publicKey"] for key in others]:
            yield "422 SSH Key is already in use on your account"
        if not re.match(r"(ssh-(ed25519|rsa)|ecdsa-\S+) \S+", news["publicKey"]):
            yield "422 Key invalid, should be of the form `type key [comment]`"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        digest = hashlib.md5(b64decode(news["publicKey"].split()[1]), usedforsecurity=False).hexdigest()
        return str(world.number()), {"fingerprint": ":".join(re.findall("..", digest))}


class Droplet(StandIn):
    sdk, kind = digitalocean.Droplet, "droplets"
    required = frozenset({"name", "region"})
    replaces = frozenset({"image", "region", "userData", "sshKeys", "vpcUuid"})
    computed = frozenset({"ipv4Address", "ipv4AddressPrivate", "status", "locked"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        region = REGIONS.get(news["region"])
        if region is None:
            yield f"422 Region {news['region']} is not available"
        elif news["size"] not in region:
            yield f"422 Size {news['size']} is not available in this region"
        if news["image"] not in IMAGES:
            yield "422 You specified an invalid image for Droplet creation."
        if not re.fullmatch(r"[a-zA-Z0-9.-]+", news["name"]):
            yield "422 Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)"
        yield from (f"422 invalid tag {tag!r}" for tag in news.get("tags", ()) if not re.fullmatch(TAG, tag))
        known = {key["fingerprint"] for key in world.every("ssh_keys")}
        yield from (f"422 {key} are invalid key identifiers" for key in news.get("sshKeys", ()) if key not in known)
        if "id" not in news and len(world.every(self.kind)) >= (world.fault("limit") or LIMIT):
            yield "422 creating this/these droplet(s) will exceed your droplet limit"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = str(world.number())
        keys = [key["publicKey"] for key in world.every("ssh_keys") if key["fingerprint"] in news.get("sshKeys", ())]
        address = instances.start(
            world, made, hostname=news["name"], user_data=news.get("userData", ""), public_keys=keys
        )
        return made, {"ipv4Address": address, "ipv4AddressPrivate": address, "status": "active", "locked": False}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])


class Firewall(StandIn):
    sdk, kind = digitalocean.Firewall, "firewalls"
    required = frozenset({"name"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9.-]+", news["name"]):
            yield "422 name must only contain letters, numbers, periods and dashes"
        for droplet in news.get("dropletIds", ()):
            if not world.get("droplets", str(droplet)):
                yield f"422 droplet {droplet} does not exist"
        for rule in (*news.get("inboundRules", ()), *news.get("outboundRules", ())):
            if rule["protocol"] != "icmp" and not rule.get("portRange"):
                yield "422 ports can't be empty for tcp and udp"


PLUGIN = plugin(SshKey(), Droplet(), Firewall())


def _droplet(world: World, request: api.Request) -> Facts:
    found = world.get("droplets", request.parts[0])
    if found is None:
        raise api.Answer(404, {"id": "not_found", "message": "The resource you requested could not be found."})
    found["networks"] = {"v4": [{"ip_address": found["ipv4Address"], "type": "public"}]}
    if found["status"] == "active" and not instances.runs(world, found["id"]):
        found["status"] = "off"
    return found


def _act(world: World, request: api.Request) -> None:
    droplet, kind = _droplet(world, request), request.body["type"]
    if (kind == "power_on") == (droplet["status"] == "active"):
        raise api.Answer(422, {"id": "unprocessable_entity", "message": f"Droplet is {droplet['status']}"})
    if kind == "power_on":
        address = instances.resume(world, droplet["id"])
        world.edit("droplets", droplet["id"], ipv4Address=address, ipv4AddressPrivate=address, status="active")
    else:
        instances.stop(world, droplet["id"], hard=kind == "power_off")
        world.edit("droplets", droplet["id"], status="off")
    raise api.Answer(201, {"action": {"id": world.number(), "status": "in-progress", "type": kind}})


def _listed(world: World, request: api.Request) -> Any:
    tag = request.query.get("tag_name")
    found = [each for each in world.every("droplets") if not tag or tag in each.get("tags", ())]
    told = [{"id": int(each["id"]), "name": each["name"], "tags": each.get("tags", [])} for each in found]
    return {"droplets": told, "meta": {"total": len(found)}}


def _named(kind: str, number: type[int] | type[str]) -> api.Route:
    def route(world: World, request: api.Request) -> Any:
        told = [{"id": number(each["id"]), "name": each["name"]} for each in world.every(kind)]
        size = int(request.query["per_page"])
        first = (int(request.query["page"]) - 1) * size
        more = {"pages": {"next": "https://example.com/more"}} if first + size < len(told) else {}
        return {kind: told[first : first + size], "links": more, "meta": {"total": len(told)}}

    return route


def _delete(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> None:
        if kind == "droplets":
            instances.remove(world, request.parts[0])
        world.drop(kind, request.parts[0])

    return route


def _guard(_world: World, request: api.Request) -> None:
    if request.headers.get("Authorization") != f"Bearer {TOKEN}":
        raise api.Answer(401, {"id": "Unauthorized", "message": "Unable to authenticate you"})


ROUTES: dict[str, api.Route] = {
    r"GET /v2/account": lambda world, _: {
        "account": {"email": "ops@example.com", "status": "active", "droplet_limit": world.fault("limit") or LIMIT}
    },
    r"GET /v1/oauth/token/info": lambda world, _: {"scopes": world.fault("scopes") or ["read", "write"]},
    r"GET /v2/regions": lambda _world, _request: {
        "regions": [{"slug": slug, "sizes": sorted(sizes)} for slug, sizes in REGIONS.items()]
    },
    r"GET /v2/sizes": lambda _world, _request: {
        "sizes": [{"slug": slug, "price_monthly": price} for slug, price in PRICES.items()],
        "links": {},
        "meta": {"total": len(PRICES)},
    },
    r"GET /v2/droplets": _listed,
    r"GET /v2/droplets/(\d+)": lambda world, request: {"droplet": _droplet(world, request)},
    r"POST /v2/droplets/(\d+)/actions": _act,
    r"GET /v2/actions/(\d+)": lambda _world, request: {"action": {"id": request.parts[0], "status": "completed"}},
    r"GET /v2/firewalls": _named("firewalls", str),
    r"GET /v2/account/keys": _named("ssh_keys", int),
    r"DELETE /v2/droplets/(\d+)": _delete("droplets"),
    r"DELETE /v2/firewalls/([\w-]+)": _delete("firewalls"),
    r"DELETE /v2/account/keys/(\d+)": _delete("ssh_keys"),
}


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES, _guard) as address:
        yield {"DIGITALOCEAN_TOKEN": TOKEN, "DIGITALOCEAN_API_URL": address}


CLOUD = Cloud(
    provider="digitalocean",
    plugins={"digitalocean": "digitalocean"},
    instances="droplets",
    serve=_serve,
    resize=("--digitalocean-size", "s-2vcpu-4gb"),
    resized={"size": "s-2vcpu-4gb"},
    no_credentials={"DIGITALOCEAN_TOKEN": ""},
)
