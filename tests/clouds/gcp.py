"""A stand-in Google Cloud: its plugin, and the part of the Compute Engine API that an account is asked by."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import ip_network
from typing import Any

import google.auth.jwt
import pulumi_gcp as gcp
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

PROJECT, REGION = "mctl-tests", "us-central1"
ZONES = {f"{REGION}-{letter}" for letter in "abcf"}
TYPES = {"e2-medium": 2, "e2-standard-2": 2, "t2a-standard-1": 1}
IMAGES = {"ubuntu-os-cloud/ubuntu-2404-lts-amd64": "X86_64", "ubuntu-os-cloud/ubuntu-2404-lts-arm64": "ARM64"}
DISKS = {"pd-standard", "pd-balanced", "pd-ssd"}
NETWORKS = {"default"}
PORTED = {"tcp", "udp", "sctp"}
PROTOCOLS = PORTED | {"icmp", "esp", "ah", "ipip"}
NAME = r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
LABEL = r"[a-z0-9_-]{0,63}"
CPUS = 24
TOKEN = "ya29.of-the-tests"
EMAIL = f"ops@{PROJECT}.iam.gserviceaccount.com"


class Named(StandIn):
    """What Google knows by its path. path: with the zone, where it is in one."""

    path: str

    def default(self, op: Operation, news: Facts) -> Facts:
        del news
        return {"name": plain(op.old_inputs).get("name") or f"{op.name}-{secrets.token_hex(4)[:7]}"}

    def place(self, news: Facts) -> str:
        return f"projects/{news['project']}/{self.path.format(**news)}/{news['name']}"

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["project"] != PROJECT:
            yield f"googleapi: Error 404: The resource 'projects/{news['project']}' was not found, notFound"
        if not re.fullmatch(NAME, news["name"]):
            yield f"googleapi: Error 400: Invalid value for field 'resource.name': '{news['name']}', invalid"
        if "id" not in news and world.get(self.kind, self.place(news)):
            yield f"googleapi: Error 409: The resource '{self.place(news)}' already exists, alreadyExists"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        del world
        return self.place(news), {"selfLink": f"https://www.googleapis.com/compute/v1/{self.place(news)}"}


class Instance(Named):
    sdk, kind, path = gcp.compute.Instance, "instances", "zones/{zone}/instances"
    required = frozenset({"zone", "project"})
    replaces = frozenset({"name", "zone", "project", "bootDisk", "description", "hostname"})
    computed = frozenset({"currentStatus", "instanceId", "selfLink"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        if news["zone"] not in ZONES:
            yield f"googleapi: Error 400: Invalid value for field 'zone': '{news['zone']}'. Unknown zone., invalid"
        if news["machineType"] not in TYPES:
            yield f"googleapi: Error 404: machineTypes/{news['machineType']} was not found, notFound"
        yield from self.refuse_parts(news)
        if "id" not in news and news["zone"] in (world.fault("full") or ()):
            yield (
                f"Error waiting for instance to create: The zone 'projects/{PROJECT}/zones/{news['zone']}' does not "
                "have enough resources available to fulfill the request.  Try a different zone, or try again later."
            )
        if "id" not in news and _left(world) < TYPES.get(news["machineType"], 0):
            yield f"Error waiting for instance to create: Quota 'CPUS' exceeded.  Limit: {_limit(world)} in region"

    def refuse_parts(self, news: Facts) -> Iterator[str]:
        disk = news["bootDisk"]["initializeParams"]
        arm = news["machineType"].startswith("t2a-")
        if disk["image"] not in IMAGES:
            yield f"Error resolving image name '{disk['image']}': Could not find image or family {disk['image']}"
        elif (IMAGES[disk["image"]] == "ARM64") != arm:
            yield "googleapi: Error 400: architecture of the image is not compatible with the machine type, badRequest"
        if disk["type"] not in DISKS or not 10 <= disk["size"] <= 65536:
            yield "googleapi: Error 400: Invalid value for field 'resource.disks[0]', invalid"
        if [card["network"] for card in news["networkInterfaces"] if card["network"] not in NETWORKS]:
            yield "googleapi: Error 404: The resource 'projects/mctl-tests/global/networks/…' was not found, notFound"
        for labels in (news.get("labels", {}), disk.get("labels", {})):
            for key, value in labels.items():
                if not re.fullmatch(f"[a-z]{LABEL}", key) or not re.fullmatch(LABEL, value):
                    yield f"googleapi: Error 400: Invalid value for field 'resource.labels': '{key}={value}', invalid"
        if [tag for tag in news.get("tags", ()) if not re.fullmatch(NAME, tag)]:
            yield "googleapi: Error 400: Invalid value for field 'resource.tags.items', invalid"
        if [key for key in news["metadata"] if not re.fullmatch("[a-zA-Z0-9_-]{1,128}", key)]:
            yield "googleapi: Error 400: Invalid value for field 'metadata', invalid"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made, facts = super().make(world, news)
        user_data = news["metadata"].get("user-data", "")
        address = instances.start(world, made, hostname=news["name"], user_data=user_data, public_keys=[])
        internal = instances.new_address(world)
        instances.lead(world, made, internal)
        facts |= {"address": address, "internal": internal, "instanceId": str(world.number())}
        return made, {**facts, "currentStatus": "RUNNING"}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        runs = instances.runs(world, facts["id"])
        resized = facts["machineType"] != news["machineType"]
        if resized and runs:
            if not news.get("allowStoppingForUpdate"):
                raise PluginError("Changing the machine_type on a started instance requires stopping it.")
            instances.stop(world, facts["id"])
            runs = False
        if news["desiredStatus"] == "TERMINATED":
            if runs:
                instances.stop(world, facts["id"])
            return {"currentStatus": "TERMINATED", "address": ""}
        if runs:
            return {}
        address = instances.resume(world, facts["id"])
        instances.lead(world, facts["id"], facts["internal"])
        return {"currentStatus": "RUNNING", "address": address}

    def look(self, world: World, facts: Facts) -> Facts:
        if instances.runs(world, facts["id"]):
            return {}
        return {"desiredStatus": "TERMINATED", "currentStatus": "TERMINATED", "address": ""}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])

    async def update(self, op: Operation) -> Properties:
        """A plan keeps the addresses that are in the state."""
        planned = await super().update(op)
        return {**planned, "networkInterfaces": op.olds["networkInterfaces"]} if op.preview else planned

    def _outputs(self, inputs: Properties, more: Mapping[str, Any]) -> Properties:
        """Fill in the addresses; one that is switched off has no external one."""
        outputs = super()._outputs(inputs, {key: of for key, of in more.items() if key not in ("address", "internal")})
        cards = [{**card, "networkIp": more["internal"]} for card in plain(inputs["networkInterfaces"])]
        for card in cards:
            card["accessConfigs"] = [{**access, "natIp": more["address"]} for access in card.get("accessConfigs", ())]
        return {**outputs, "networkInterfaces": cards}


class Firewall(Named):
    sdk, kind, path = gcp.compute.Firewall, "firewalls", "global/firewalls"
    required = frozenset({"project"})
    replaces = frozenset({"name", "project", "network"})
    computed = frozenset({"selfLink"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        yield from super().refuse(world, news)
        if news["network"] not in NETWORKS:
            yield f"googleapi: Error 404: networks/{news['network']} was not found, notFound"
        if len({ip_network(cidr).version for cidr in news["sourceRanges"]}) != 1:
            yield "googleapi: Error 400: Invalid value for field 'resource.sourceRanges': IPv4 and IPv6, invalid"
        if not news["targetTags"] or [tag for tag in news["targetTags"] if not re.fullmatch(NAME, tag)]:
            yield "googleapi: Error 400: Invalid value for field 'resource.targetTags', invalid"
        for rule in news["allows"]:
            ports, protocol = rule.get("ports") or [], rule["protocol"]
            if protocol not in PROTOCOLS or (ports and protocol not in PORTED) or not all(map(str.isdecimal, ports)):
                yield "googleapi: Error 400: Invalid value for field 'resource.allowed[0].ports', invalid"


PLUGIN = plugin(Instance(), Firewall())


def _limit(world: World) -> int:
    return int(world.fault("limit") or CPUS)


def _left(world: World) -> int:
    return _limit(world) - sum(TYPES[instance["machineType"]] for instance in world.every("instances"))


def _missing(request: api.Request) -> api.Answer:
    return api.Answer(404, {"error": {"code": 404, "message": f"The resource '{request.parts[-1]}' was not found"}})


def _region(world: World, request: api.Request) -> Any:
    if request.parts != (PROJECT, REGION):
        raise _missing(request)
    return {"quotas": [{"metric": "CPUS", "limit": _limit(world), "usage": _limit(world) - _left(world)}]}


def _granted(world: World, request: api.Request) -> Any:
    denied = world.fault("denied") or ()
    return {"permissions": [each for each in request.body["permissions"] if each not in denied]}


def _type(_world: World, request: api.Request) -> Any:
    _, zone, kind = request.parts
    if zone not in ZONES or kind not in TYPES:
        raise _missing(request)
    return {"name": kind, "guestCpus": TYPES[kind]}


def _instance(world: World, request: api.Request) -> Any:
    found = world.get("instances", request.parts[0])
    if found is None:
        raise _missing(request)
    access = {"natIP": found["address"]} if found["address"] else {}
    return {"networkInterfaces": [{"networkIP": found["internal"], "accessConfigs": [access]}]}


def _listed(world: World, request: api.Request) -> Any:
    key, wanted = request.query["filter"].removeprefix("labels.").split("=")
    found: dict[str, Any] = {}
    for each in world.every("instances"):
        if each["labels"].get(key) == wanted:
            items = [{"key": word, "value": value} for word, value in each["metadata"].items()]
            told = {"name": each["name"], "selfLink": each["selfLink"], "metadata": {"items": items}}
            found.setdefault(f"zones/{each['zone']}", {"instances": []})["instances"].append(told)
    return {"items": found}


def _firewalls(world: World, request: api.Request) -> Any:
    """One rule a page, the project's own first."""
    rules = [{"name": "default-allow-ssh", "description": "Allow SSH from anywhere", "selfLink": "…/projects/x/y/z"}]
    rules += [{key: each[key] for key in ("name", "description", "selfLink")} for each in world.every("firewalls")]
    page = int(request.query.get("pageToken", "0"))
    more = {"nextPageToken": str(page + 1)} if page + 1 < len(rules) else {}
    return {"items": [rules[page]], **more}


def _delete(world: World, request: api.Request) -> Any:
    place = request.parts[0]
    kind = place.split("/")[-2]
    if world.get(kind, place) is None:
        raise _missing(request)
    if kind == "instances":
        instances.remove(world, place)
    world.drop(kind, place)
    return {"name": "operation-1", "status": "RUNNING"}


def _guard(_world: World, request: api.Request) -> None:
    is_login = isinstance(request.body, dict) and "assertion" in request.body
    sent = [value for name, value in request.headers.items() if name.lower() == "authorization"]
    if not is_login and sent != [f"Bearer {TOKEN}"]:
        raise api.Answer(401, {"error": {"code": 401, "message": "Request had invalid authentication credentials."}})


def _routes(public_key: bytes) -> dict[str, api.Route]:
    def token(_world: World, request: api.Request) -> Any:
        claims = google.auth.jwt.decode(request.body["assertion"], certs=public_key, verify=True)  # type: ignore[no-untyped-call]
        if claims["iss"] != EMAIL:
            raise api.Answer(400, {"error": "invalid_grant"})
        return {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}

    compute = "/compute/v1/projects/"
    return {
        "POST /token": token,
        rf"POST /v1/projects/{PROJECT}:testIamPermissions": _granted,
        r"GET /openid/userinfo": lambda world, _request: {"sub": "1", **(world.fault("person") or {})},
        rf"GET {compute}([\w-]+)/regions/([\w-]+)": _region,
        rf"GET {compute}([\w-]+)/zones/([\w-]+)/machineTypes/([\w-]+)": _type,
        rf"GET {compute}{PROJECT}/aggregated/instances": _listed,
        rf"GET {compute}{PROJECT}/global/firewalls": _firewalls,
        rf"GET /compute/v1/(projects/{PROJECT}/zones/[\w-]+/instances/[\w-]+)": _instance,
        rf"DELETE /compute/v1/(projects/{PROJECT}/[\w/-]+)": _delete,
        rf"POST {compute}{PROJECT}/[\w/-]+/operations/operation-1/wait": lambda _world, _request: {"status": "DONE"},
    }


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(pem, pkcs8, serialization.NoEncryption()).decode()
    with api.serve(world, _routes(public), _guard) as address:
        file = world.folder / "service-account.key"
        account = {"type": "service_account", "project_id": PROJECT, "client_email": EMAIL, "private_key": private}
        file.write_text(json.dumps({**account, "private_key_id": "1", "token_uri": f"{address}/token"}))
        yield {
            "GOOGLE_APPLICATION_CREDENTIALS": str(file),
            "GOOGLE_COMPUTE_CUSTOM_ENDPOINT": f"{address}/compute/v1/",
            "GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT": f"{address}/v1/",
            "CLOUDSDK_CONFIG": str(world.folder),
            "NO_GCE_CHECK": "true",
        }


CLOUD = Cloud(
    provider="gcp",
    plugins={"gcp": "gcp"},
    instances="instances",
    serve=_serve,
    options=("--gcp-labels", "team=core,cost=12", "--gcp-open-port", "8080,53/udp"),
    resize=("--gcp-machine-type", "e2-standard-2"),
    resized={"machineType": "e2-standard-2"},
    zones=("us-central1-a", "us-central1-b"),
    no_credentials={"GOOGLE_APPLICATION_CREDENTIALS": ""},
)
