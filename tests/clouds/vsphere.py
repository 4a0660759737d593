"""A stand-in vCenter: the plugin, and the part of the REST API that the driver asks."""

from __future__ import annotations

import json
import re
import uuid
from base64 import b64decode, b64encode
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pulumi_vsphere as vsphere

from infra.plugins.server import PluginError
from infra.plugins.wire import Properties, plain
from tests.clouds import api, instances, vim
from tests.clouds.cloud import Cloud
from tests.clouds.standin import StandIn, plugin
from tests.clouds.world import Facts, World

USER, PASSWORD, SESSION = "ops@vsphere.local", "vcenter-password-of-the-tests", "session-of-the-tests"
DATACENTERS = {"dc1": "datacenter-2"}
CLUSTERS = {"c1": ("domain-c8", "resgroup-9")}
HOSTS = {"esx1.example.com": ("host-10", "resgroup-9")}
POOLS = {"c1/Resources": "resgroup-9"}
DATASTORES = {"ssd": "datastore-11"}
NETWORKS = {"VM Network": "network-12"}
TEMPLATES = {"debian-12": "4226dc11-0000-4000-8000-000000000001"}
LIBRARIES = {"images": "1d5a1f5f-library"}
ITEMS = {"debian-12-ovf": "77c9a1d0-item"}
FOLDERS = {"shop": "group-v20"}
DISK_GB, FREE_BYTES = 10, 500 * 1024**3
BREAKING = {"numCpus", "memory", "guestId", "firmware", "disks", "extraConfig"}


class TagCategory(StandIn):
    sdk, kind = vsphere.TagCategory, "categories"
    required = frozenset({"name"})
    replaces = frozenset({"cardinality"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if news["name"] in [each["name"] for each in world.every(self.kind) if each["id"] != news.get("id")]:
            yield "400 Bad Request: ALREADY_EXISTS"
        if news["cardinality"] not in ("SINGLE", "MULTIPLE"):
            yield "expected cardinality to be one of [SINGLE MULTIPLE]"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        return f"urn:vmomi:InventoryServiceCategory:{uuid.uuid4()}:GLOBAL", {}


class Tag(StandIn):
    sdk, kind = vsphere.Tag, "tags"
    required = frozenset({"name"})
    replaces = frozenset({"categoryId"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        if not world.get("categories", news["categoryId"]):
            yield f"category {news['categoryId']}: 404 Not Found"

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        return f"urn:vmomi:InventoryServiceTag:{uuid.uuid4()}:GLOBAL", {}


class VirtualMachine(StandIn):
    sdk, kind = vsphere.VirtualMachine, "vms"
    required = frozenset({"name", "networkInterfaces"})
    replaces = frozenset({"clone", "replaceTrigger"})
    computed = frozenset({"moid", "uuid", "defaultIpAddress", "powerState", "guestIpAddresses"})

    def refuse(self, world: World, news: Facts) -> Iterator[str]:
        pools = {*POOLS.values(), *(pool for _, pool in (*CLUSTERS.values(), *HOSTS.values()))}
        if news["resourcePoolId"] not in pools:
            yield f"could not find resource pool ID {news['resourcePoolId']!r}"
        if news["datastoreId"] not in DATASTORES.values():
            yield f"could not find datastore ID {news['datastoreId']!r}"
        for interface in news["networkInterfaces"]:
            if interface["networkId"] not in NETWORKS.values():
                yield f"could not find network ID {interface['networkId']!r}"
        if news["clone"]["templateUuid"] not in (*TEMPLATES.values(), *ITEMS.values()):
            yield f"virtual machine with UUID {news['clone']['templateUuid']!r} not found"
        if news["disks"][0]["size"] < DISK_GB:
            yield f"disk.0: name disk0 must have at least the size of its template's: {DISK_GB} GB"
        yield from (f"404 tag {tag} not found" for tag in news.get("tags", ()) if not world.get("tags", tag))
        others = [each["name"] for each in world.every(self.kind) if each["id"] != news.get("id")]
        if news["name"] in others:
            yield f"The name '{news['name']}' already exists."

    def make(self, world: World, news: Facts) -> tuple[str, Facts]:
        made = str(uuid.uuid4())
        told = {name: _guestinfo(news["extraConfig"], name) for name in ("userdata", "metadata")}
        about = json.loads(told["metadata"])
        address = instances.start(
            world, made, hostname=about["local-hostname"], user_data=told["userdata"], public_keys=[]
        )
        return made, {"moid": f"vm-{world.number()}", "uuid": made, **_on(address)}

    def change(self, world: World, facts: Facts, news: Facts) -> Facts:
        """Restart it for a change of hardware; the plugin switches on one that is off."""
        changed = {key for key in BREAKING if news.get(key) != facts.get(key)}
        if not changed:
            return {}
        if instances.runs(world, facts["id"]):
            instances.stop(world, facts["id"])
        return _on(instances.resume(world, facts["id"]))

    def look(self, world: World, facts: Facts) -> Facts:
        cleaned = {**facts["extraConfig"], "guestinfo.userdata": "---"}
        return {"extraConfig": cleaned, **({} if instances.runs(world, facts["id"]) else OFF)}

    def unmake(self, world: World, facts: Facts) -> None:
        instances.remove(world, facts["id"])


OFF: Facts = {"powerState": "off", "defaultIpAddress": "", "guestIpAddresses": []}


def _on(address: str) -> Facts:
    return {"powerState": "on", "defaultIpAddress": address, "guestIpAddresses": [address]}


def _guestinfo(config: Facts, key: str) -> str:
    """Read what cloud-init's VMware data source would."""
    if config[f"guestinfo.{key}.encoding"] != "base64":
        raise PluginError(f"guestinfo.{key} is in no known encoding")
    return b64decode(config[f"guestinfo.{key}"], validate=True).decode()


Invoke = Callable[[Properties], Awaitable[Properties]]


def _found(known: dict[str, Any], kind: str, more: Callable[[Any], Facts] = lambda found: {"id": found}) -> Invoke:
    """Look one up by name, or the only one where none is named."""

    async def invoke(asked: Properties) -> Properties:
        args = plain(asked)
        name = args.get("name") or (next(iter(known)) if len(known) == 1 else "")
        if args.get("datacenterId", "datacenter-2") not in DATACENTERS.values():
            raise PluginError(f"datacenter {args['datacenterId']} not found")
        if name not in known:
            raise PluginError(f"{kind} '{name}' not found")
        return {**args, "name": name, **more(known[name])}

    return invoke


def _pooled(found: tuple[str, str]) -> Facts:
    return {"id": found[0], "resourcePoolId": found[1]}


def _template(found: str) -> Facts:
    return {"id": found, "guestId": "debian12_64Guest", "firmware": "efi", "scsiType": "pvscsi"}


INVOKES: dict[str, Invoke] = {
    "Datacenter": _found(DATACENTERS, "datacenter"),
    "Datastore": _found(DATASTORES, "datastore"),
    "Network": _found(NETWORKS, "network"),
    "ResourcePool": _found(POOLS, "resource pool"),
    "ComputeCluster": _found(CLUSTERS, "cluster", _pooled),
    "Host": _found(HOSTS, "host", _pooled),
    "VirtualMachine": _found(TEMPLATES, "vm", _template),
    "ContentLibrary": _found(LIBRARIES, "content library"),
    "ContentLibraryItem": _found(ITEMS, "content library item"),
}
PLUGIN = plugin(
    *(TagCategory(), Tag(), VirtualMachine()),
    invokes={f"vsphere:index/get{name}:get{name}": invoke for name, invoke in INVOKES.items()},
)


def _error(status: int, kind: str, text: str) -> api.Answer:
    return api.Answer(status, {"error_type": kind, "messages": [{"default_message": text, "id": "", "args": []}]})


def _vm(world: World, request: api.Request) -> Facts:
    for each in world.every("vms"):
        if each["moid"] == request.parts[0]:
            return each
    raise _error(404, "NOT_FOUND", f"Virtual machine with identifier '{request.parts[0]}' does not exist.")


def _state(world: World, request: api.Request) -> Facts:
    return {"state": "POWERED_ON" if instances.runs(world, _vm(world, request)["id"]) else "POWERED_OFF"}


def _switch(world: World, request: api.Request) -> None:
    found, action = _vm(world, request), request.query["action"]
    if instances.runs(world, found["id"]) == (action == "start"):
        raise _error(400, "ALREADY_IN_DESIRED_STATE", f"Virtual machine is already powered {action}.")
    if action == "start":
        found |= _on(instances.resume(world, found["id"]))
    else:
        instances.stop(world, found["id"], hard=True)
        found |= OFF
    world.put("vms", found["id"], found)


def _guest(world: World, request: api.Request) -> Any:
    found = _vm(world, request)
    if not instances.runs(world, found["id"]):
        raise _error(503, "SERVICE_UNAVAILABLE", "VMware Tools are not running.")
    if "action" not in request.query:
        return {"family": "LINUX", "host_name": found["name"], "ip_address": found["defaultIpAddress"]}
    instances.stop(world, found["id"])
    world.put("vms", found["id"], found | OFF)
    return None


def _delete_vm(world: World, request: api.Request) -> None:
    found = _vm(world, request)
    if instances.runs(world, found["id"]):
        raise _error(400, "NOT_ALLOWED_IN_CURRENT_STATE", "The virtual machine is powered on.")
    instances.remove(world, found["id"])
    world.drop("vms", found["id"])


def _about(world: World, request: api.Request) -> Facts:
    found = _vm(world, request)
    return {"name": found["name"], "identity": {"bios_uuid": found["id"], "name": found["name"]}}


def _listed(known: dict[str, Any], more: Callable[[World], Facts] = lambda _world: {}) -> api.Route:
    def route(world: World, request: api.Request) -> Any:
        wanted, key = request.query.get("names"), request.parts[0].replace("-", "_")
        found = {name: each for name, each in known.items() if wanted in (None, name)}
        return [{"name": name, key: each, **more(world)} for name, each in found.items()]

    return route


def _bearers(world: World, request: api.Request) -> Any:
    return [
        {"type": "VirtualMachine", "id": each["moid"]}
        for each in world.every("vms")
        if request.parts[0] in each["tags"]
    ]


def _category(world: World, request: api.Request) -> Facts:
    found = world.get("categories", request.parts[0])
    if found is None:
        raise _error(404, "NOT_FOUND", "Category not found.")
    return {key: found[key] for key in ("id", "name", "cardinality")}


def _tags_of(world: World, request: api.Request) -> Any:
    return [each["id"] for each in world.every("tags") if each["categoryId"] == request.body["category_id"]]


def _drop(kind: str) -> api.Route:
    return lambda world, request: world.drop(kind, request.parts[0])


def _signed(route: api.Route) -> api.Route:
    def signed(world: World, request: api.Request) -> Any:
        login = f"Basic {b64encode(f'{USER}:{PASSWORD}'.encode()).decode()}"
        if login != request.headers.get("Authorization") and request.headers.get("vmware-api-session-id") != SESSION:
            raise _error(401, "UNAUTHENTICATED", "Authentication required.")
        return route(world, request)

    return signed


def _log_in(_world: World, request: api.Request) -> str:
    if "Authorization" not in request.headers:
        raise _error(401, "UNAUTHENTICATED", "Authentication required.")
    return SESSION


CALLS: dict[str, api.Route] = {
    r"POST session": _log_in,
    r"DELETE session": lambda _world, _request: None,
    r"GET vcenter/vm/([\w-]+)": _about,
    r"DELETE vcenter/vm/([\w-]+)": _delete_vm,
    r"GET vcenter/vm/([\w-]+)/power": _state,
    r"POST vcenter/vm/([\w-]+)/power": _switch,
    r"POST vcenter/vm/([\w-]+)/guest/power": _guest,
    r"GET vcenter/vm/([\w-]+)/guest/identity": _guest,
    r"GET vcenter/(datacenter)": _listed(DATACENTERS),
    r"GET vcenter/(cluster)": _listed({name: found[0] for name, found in CLUSTERS.items()}),
    r"GET vcenter/(host)": _listed({name: found[0] for name, found in HOSTS.items()}),
    r"GET vcenter/(resource-pool)": _listed({"Resources": POOLS["c1/Resources"]}),
    r"GET vcenter/(folder)": _listed(FOLDERS),
    r"GET vcenter/(network)": _listed(NETWORKS),
    r"GET vcenter/(datastore)": _listed(
        DATASTORES, lambda world: {"free_space": 0 if "ssd" in (world.fault("full") or ()) else FREE_BYTES}
    ),
    r"GET cis/tagging/category": lambda world, _request: [each["id"] for each in world.every("categories")],
    r"GET cis/tagging/category/([^/]+)": _category,
    r"DELETE cis/tagging/category/([^/]+)": _drop("categories"),
    r"POST cis/tagging/tag": _tags_of,
    r"DELETE cis/tagging/tag/([^/]+)": _drop("tags"),
    r"POST cis/tagging/tag-association/([^/]+)": _bearers,
}
ROUTES = {re.sub(" ", " /api/", call, count=1): _signed(route) for call, route in CALLS.items()}
ROUTES |= vim.routes(USER, PASSWORD, DATACENTERS)


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES) as address:
        yield {"VSPHERE_SERVER": address.removeprefix("https://"), "VSPHERE_USER": USER, "VSPHERE_PASSWORD": PASSWORD}


CLOUD = Cloud(
    provider="vsphere",
    plugins={"vsphere": "vsphere"},
    instances="vms",
    serve=_serve,
    options=("--vsphere-template", "debian-12", "--vsphere-datastore", "ssd"),
    resize=("--vsphere-memory-size", "4096"),
    resized={"memory": 4096},
    no_credentials={"VSPHERE_PASSWORD": ""},
)
