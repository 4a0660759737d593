"""A stand-in Cloud Director: the plugin, and the part of the API that the driver asks."""

from __future__ import annotations

import os
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pulumi_vcd as vcd

from infra.plugins.server import Operation, PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

USER, ORG, PASSWORD, API_TOKEN = "ops", "acme", "director-password-of-the-tests", "api-token-of-the-tests"
TOKEN, VERSIONS = "session-of-the-tests", ("37.0", "38.0", "39.0")
VDC = ("prod", "urn:vcloud:vdc:00000000-0000-4000-8000-000000000001")
CATALOG = ("images", "urn:vcloud:catalog:00000000-0000-4000-8000-000000000002")
TEMPLATE = ("debian-12", "urn:vcloud:vapptemplate:00000000-0000-4000-8000-000000000003")
EDGE = ("edge-1", "urn:vcloud:gateway:00000000-0000-4000-8000-000000000004")
NETWORKS, MODES, PUBLIC = ("routed",), ("POOL", "DHCP"), "edge-address"
MEMORY_MB = 65536
HARDWARE = {"cpus", "memory"}
KEYS = {"instance-id", "hostname", "user-data"}


class Vm(StandIn):
    sdk, kind = vcd.Vm, "vms"
    required = frozenset({"name"})
    replaces = frozenset({"name", "vdc", "vappTemplateId"})
    computed = frozenset({"networks", "href", "statusText", "vappName"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news.get("vdc", VDC[0]) != VDC[0]:
            yield f"error retrieving Org VDC {news['vdc']}: [ENF] entity not found"
        if news.get("vappTemplateId") != TEMPLATE[1]:
            yield "error retrieving vApp Template: [ENF] entity not found"
        if not re.fullmatch("[A-Za-z0-9-]{1,63}", news["computerName"]):
            yield f"The computer name {news['computerName']} is not valid"
        for network in news["networks"]:
            if network["name"] not in NETWORKS or network["ipAllocationMode"] not in MODES:
                yield f"The network {network['name']} could not be found."
        for entry in news.get("metadataEntries", ()):
            if entry["type"] != "MetadataStringValue" or not entry["value"]:
                yield f"metadata entry {entry['key']} is not valid"
        if set(news["guestProperties"]) != KEYS:
            yield f"cloud-init reads {KEYS}"
        if "id" not in news and _used(world) + news["memory"] > (world.fault("memory") or MEMORY_MB):
            yield "The requested operation will exceed the VDC quota(s): VDC memory"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        """Boot it: from a pool comes the address at once, and stays."""
        known, told = f"urn:vcloud:vm:{uuid.uuid4()}", news["guestProperties"]
        text = b64decode(told["user-data"], validate=True).decode()
        address = instances.start(world, known, hostname=told["hostname"], user_data=text, public_keys=[])
        return known, {"address": address, "statusText": "POWERED_ON"}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        """Pull the plug for a change of hardware; the plugin switches on whatever it has changed."""
        runs = instances.runs(world, facts["id"])
        if runs and any(news.get(key) != facts.get(key) for key in HARDWARE):
            instances.stop(world, facts["id"], hard=True)
            runs = False
        return {} if runs else _switched_on(world, facts)

    def look(self, world: World, facts: Facts) -> Facts:
        return {"statusText": "POWERED_ON" if instances.runs(world, facts["id"]) else "POWERED_OFF"}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])

    async def update(self, op: Operation) -> Properties:
        """Plan as the bridge does: an address stays what it is."""
        planned = await super().update(op)
        return planned | {"networks": op.olds["networks"]} if op.preview else planned

    def _outputs(self, inputs: Properties, more: Mapping[str, Any]) -> Properties:
        (network,) = plain(inputs["networks"])
        return {**super()._outputs(inputs, more), "networks": [{**network, "ip": more["address"]}]}


class NsxtAppPortProfile(StandIn):
    sdk, kind = vcd.NsxtAppPortProfile, "profiles"
    required = frozenset({"name", "contextId"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["name"] in [each["name"] for each in world.every(self.kind) if each["id"] != news.get("id")]:
            yield f"Application Port Profile with name '{news['name']}' already exists"
        if news["scope"] != "TENANT" or news["contextId"] != VDC[1]:
            yield f"error getting context {news['contextId']}"
        for port in news["appPorts"]:
            if port["protocol"] not in ("TCP", "UDP") or not all(each.isdigit() for each in port["ports"]):
                yield f"Port {port} is not valid"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        return f"urn:vcloud:applicationPortProfile:{uuid.uuid4()}", {}

    def unmake(self, world: World, facts: Facts) -> None:
        if any(rule.get("appPortProfileId") == facts["id"] for rule in world.every("nat_rules")):
            raise PluginError(f"Application Port Profile {facts['name']} is in use")


class NsxtNatRule(StandIn):
    sdk, kind = vcd.NsxtNatRule, "nat_rules"
    required = frozenset({"name", "internalAddress", "externalAddress"})
    replaces = frozenset({"edgeGatewayId", "ruleType"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["edgeGatewayId"] != EDGE[1]:
            yield f"error retrieving Edge Gateway {news['edgeGatewayId']}"
        if news["externalAddress"] != (world.folder / PUBLIC).read_text():
            yield f"Invalid external address: {news['externalAddress']}"
        if news["ruleType"] not in ("DNAT", "SNAT"):
            yield f"expected rule_type to be one of DNAT, SNAT, got {news['ruleType']}"
        if news["ruleType"] == "SNAT" and "dnatExternalPort" in news:
            yield "dnat_external_port is for DNAT"
        if (profile := news.get("appPortProfileId")) and not world.get("profiles", profile):
            yield f"Application Port Profile {profile} not found"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = str(uuid.uuid4())
        _lead(world, news)
        return made, {}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        _lead(world, news)
        return {}


def _lead(world: World, rule: Facts) -> None:
    """Have a public address lead in, as a rule says; ports stay what they are."""
    if rule["ruleType"] == "DNAT":
        profile = world.get("profiles", rule["appPortProfileId"]) or {}
        if profile["appPorts"][0]["ports"] != [rule["dnatExternalPort"]]:
            raise PluginError("the stand-in edge leads to the same port only")
        for each in world.every("vms"):
            if each["address"] == rule["internalAddress"] and instances.runs(world, each["id"]):
                instances.lead(world, each["id"], rule["externalAddress"])


def _used(world: World) -> int:
    return sum(each["memory"] for each in world.every("vms"))


def _switched_on(world: World, facts: Facts) -> Facts:
    instances.resume(world, facts["id"], facts["address"])
    for rule in world.every("nat_rules"):
        _lead(world, rule)
    return {"statusText": "POWERED_ON"}


Invoke = Callable[[Properties], Awaitable[Properties]]


def _found(known: tuple[str, str], **more: str) -> Invoke:
    async def invoke(asked: Properties) -> Properties:
        args = plain(asked)
        if (
            args["name"] != known[0]
            or args.get("vdc", VDC[0]) != VDC[0]
            or args.get("catalogId", CATALOG[1]) != CATALOG[1]
        ):
            raise PluginError(f"[ENF] entity not found: {args['name']}")
        return {**args, "id": known[1], **more}

    return invoke


PLUGIN = plugin(
    *(Vm(), NsxtAppPortProfile(), NsxtNatRule()),
    invokes={
        "vcd:index/getCatalog:getCatalog": _found(CATALOG),
        "vcd:index/getCatalogVappTemplate:getCatalogVappTemplate": _found(TEMPLATE),
        "vcd:index/getNsxtEdgegateway:getNsxtEdgegateway": _found(EDGE, ownerId=VDC[1]),
    },
)


def _error(status: int, code: str, text: str) -> api.Answer:
    return api.Answer(status, {"majorErrorCode": status, "minorErrorCode": code, "message": text})


def _vm(world: World, request: api.Request) -> Facts:
    found = world.get("vms", f"urn:vcloud:vm:{request.parts[0]}")
    if found is None:
        said = f'No access to entity "com.vmware.vcloud.entity.vm:{request.parts[0]}".'
        raise _error(403, "ACCESS_TO_RESOURCE_IS_FORBIDDEN", said)
    return found


def _task(world: World, request: api.Request, error: str = "") -> Facts:
    """Begin a task, which is at its end when it is first looked at."""
    known = str(world.number())
    (world.folder / "tasks").mkdir(exist_ok=True)
    (world.folder / "tasks" / known).write_text(error)
    return {"href": f"https://{request.headers['Host']}/api/task/{known}", "status": "running"}


def _ended(world: World, request: api.Request) -> Facts:
    error = (world.folder / "tasks" / request.parts[0]).read_text()
    return {"status": "error", "error": {"message": error}} if error else {"status": "success"}


def _about(world: World, request: api.Request) -> Facts:
    found = _vm(world, request)
    return {"name": found["name"], "status": 4 if instances.runs(world, found["id"]) else 8}


def _switch(world: World, request: api.Request) -> Facts:
    found = _vm(world, request)
    if instances.runs(world, found["id"]):
        raise _error(400, "BAD_REQUEST", "The requested operation could not be executed since VM is powered on.")
    world.put("vms", found["id"], found | _switched_on(world, found))
    return _task(world, request)


def _undeploy(world: World, request: api.Request) -> Facts:
    found, action = _vm(world, request), request.body["undeployPowerAction"]
    if not instances.runs(world, found["id"]):
        raise _error(400, "BAD_REQUEST", "The requested operation could not be executed since VM is not running.")
    if action == "shutdown" and world.strikes("no tools"):
        return _task(world, request, "VMware Tools is not running in the VM.")
    instances.stop(world, found["id"], hard=action != "shutdown")
    world.put("vms", found["id"], found | {"statusText": "POWERED_OFF"})
    return _task(world, request)


def _delete_vm(world: World, request: api.Request) -> Facts:
    found = _vm(world, request)
    if instances.runs(world, found["id"]):
        raise _error(400, "BAD_REQUEST", "The VM is deployed.")
    instances.remove(world, found["id"])
    world.drop("vms", found["id"])
    return _task(world, request)


def _metadata(world: World, request: api.Request) -> Facts:
    entries = _vm(world, request)["metadataEntries"]
    return {"metadataEntry": [{"key": each["key"], "typedValue": {"value": each["value"]}} for each in entries]}


def _query(world: World, request: api.Request) -> Facts:
    """Answer a query of records, filtered by equality of fields, or by one entry of the metadata."""
    here = f"https://{request.headers['Host']}"
    known: dict[str, list[Facts]] = {
        "orgVdc": [{"name": VDC[0], "memoryLimitMB": world.fault("memory") or MEMORY_MB, "memoryUsedMB": _used(world)}],
        "vAppTemplate": [{"name": TEMPLATE[0], "catalogName": CATALOG[0]}],
        "vm": [
            {"name": each["name"], "href": f"{here}/api/vApp/vm-{each['id'].rpartition(':')[2]}"}
            | {f"metadata:{entry['key']}": f"STRING:{entry['value']}" for entry in each["metadataEntries"]}
            for each in world.every("vms")
        ],
    }
    wanted = [term.split("==") for term in request.query.get("filter", "").split(";") if term]
    found = [each for each in known[request.query["type"]] if all(each.get(field) == value for field, value in wanted)]
    return {"record": found, "total": len(found)}


def _listed(*known: tuple[str, str]) -> api.Route:
    def route(_world: World, request: api.Request) -> Facts:
        wanted = request.query.get("filter", "").removeprefix("name==")
        return {"values": [{"name": name, "id": id} for name, id in known if wanted in ("", name)]}  # noqa: A001

    return route


def _kept(kind: str) -> api.Route:
    """List what there is of a kind, two to a page."""

    def route(world: World, request: api.Request) -> Any:
        every, start = world.every(kind), int(request.query.get("cursor", "0"))
        page = {"values": [{"id": each["id"], "name": each["name"]} for each in every[start : start + 2]]}
        following = f"https://{request.headers['Host']}/{request.parts[0]}?cursor={start + 2}"
        links = {"Link": f'<{following}>;rel="nextPage";type="application/json"'} if len(every) > start + 2 else {}
        raise api.Answer(200, page, links)

    return route


def _drop(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> Any:
        world.drop(kind, request.parts[0])
        raise api.Answer(202, None, {"Location": _task(world, request)["href"]})

    return route


def _log_in(_world: World, request: api.Request) -> Any:
    login = f"Basic {b64encode(f'{USER}@{ORG}:{PASSWORD}'.encode()).decode()}"
    if request.headers.get("Authorization") != login:
        raise _error(401, "UNAUTHORIZED", "The request has invalid credentials.")
    raise api.Answer(200, {"id": "urn:vcloud:session:1"}, {"X-VMWARE-VCLOUD-ACCESS-TOKEN": TOKEN})


def _session(_world: World, _request: api.Request) -> Facts:
    return {"user": {"name": USER}, "org": {"name": ORG}, "roles": ["vApp Author"]}


def _token(_world: World, request: api.Request) -> Facts:
    if request.body != {"grant_type": "refresh_token", "refresh_token": API_TOKEN}:
        raise api.Answer(400, {"error": "invalid_grant", "error_description": "Invalid refresh token"})
    return {"access_token": TOKEN, "token_type": "Bearer"}


def _guard(_world: World, request: api.Request) -> None:
    kind = request.headers.get("Accept", "")
    accepted = re.fullmatch(r"application/(json|\*\+json);version=([0-9.]+)", kind)
    if not accepted or accepted[2] not in VERSIONS:
        raise _error(406, "NOT_ACCEPTABLE", f"The request has invalid accept header: {kind}")


def _signed(route: api.Route) -> api.Route:
    def signed(world: World, request: api.Request) -> Any:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _error(401, "UNAUTHORIZED", "This operation is denied.")
        return route(world, request)

    return signed


VM = r"/api/vApp/vm-([0-9a-f-]+)"
GATEWAY = rf"/cloudapi/1.0.0/edgeGateways/{EDGE[1]}"
LOG_INS: dict[str, api.Route] = {
    r"POST /cloudapi/1.0.0/sessions": _log_in,
    rf"POST /oauth/tenant/{ORG}/token": _token,
}
CALLS: dict[str, api.Route] = {
    r"GET /cloudapi/1.0.0/sessions/current": _session,
    r"DELETE /cloudapi/1.0.0/sessions/current": lambda _world, _request: None,
    r"GET /api/query": _query,
    r"GET /api/task/(\d+)": _ended,
    rf"GET {VM}": _about,
    rf"DELETE {VM}": _delete_vm,
    rf"GET {VM}/metadata": _metadata,
    rf"POST {VM}/power/action/powerOn": _switch,
    rf"POST {VM}/action/undeploy": _undeploy,
    r"GET /cloudapi/1.0.0/orgVdcNetworks": _listed(*((name, name) for name in NETWORKS)),
    r"GET /cloudapi/1.0.0/edgeGateways": _listed(EDGE),
    rf"GET /({GATEWAY[1:]}/nat/rules)": _kept("nat_rules"),
    rf"DELETE {GATEWAY}/nat/rules/([0-9a-f-]+)": _drop("nat_rules"),
    r"GET /(cloudapi/1.0.0/applicationPortProfiles)": _kept("profiles"),
    r"DELETE /cloudapi/1.0.0/applicationPortProfiles/([\w:-]+)": _drop("profiles"),
}
ROUTES = LOG_INS | {call: _signed(route) for call, route in CALLS.items()}


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    outside = instances.new_address(world) if instances.SUBNET in os.environ else "198.51.100.9"
    (world.folder / PUBLIC).write_text(outside)
    with api.serve(world, ROUTES, _guard) as address:
        yield {
            "VCD_URL": f"{address}/api",
            "VCD_ORG": ORG,
            "VCD_USER": USER,
            "VCD_PASSWORD": PASSWORD,
            "VCD_PUBLICIP": outside,
        }


CLOUD = Cloud(
    provider="vcd",
    plugins={"vcd": "vcd"},
    instances="vms",
    serve=_serve,
    options=(
        *("--vcd-catalog", CATALOG[0], "--vcd-catalogitem", TEMPLATE[0]),
        *("--vcd-orgvdcnetwork", NETWORKS[0], "--vcd-edgegateway", EDGE[0]),
    ),
    resize=("--vcd-memory-size", "4096"),
    resized={"memory": 4096},
    no_credentials={"VCD_PASSWORD": "another"},
    moves=False,
)
