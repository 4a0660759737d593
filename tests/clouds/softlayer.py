"""A stand-in IBM Cloud Classic: the part of its REST API that our plugin and driver use through the vendor's SDK.

The plugin is the real one. Source: https://sldn.softlayer.com/reference/softlayerapi/
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from infra.components.drivers.softlayer import PERMISSIONS
from tests.clouds import api, instances
from tests.clouds.cloud import Cloud
from tests.clouds.world import Facts, World

USER, KEY = "ops", "classic-key-of-the-tests"
PLACES = ("dal10", "dal13", "fra02")
IMAGES = {"DEBIAN_12_64", "UBUNTU_24_64"}
CPUS, MEMORY, DISKS, SPEEDS = {1, 2, 4}, {1024, 2048, 4096}, {25, 100}, {10, 100, 1000}
VLANS = {811: "dal10"}
TEMPLATE = {
    *("startCpus", "maxMemory", "hostname", "domain", "localDiskFlag", "hourlyBillingFlag", "datacenter", "userData"),
    *("supplementalCreateObjectOptions", "operatingSystemReferenceCode", "primaryNetworkComponent", "sshKeys"),
    *("primaryBackendNetworkComponent", "networkComponents", "blockDevices", "privateNetworkOnlyFlag"),
}
RULE = {"direction", "ethertype", "protocol", "portRangeMin", "portRangeMax", "remoteIp"}
INVALID = "SoftLayer_Exception_InvalidValue"


def _error(status: int, code: str, text: str) -> api.Answer:
    return api.Answer(status, {"error": text, "code": code})


def _object(world: World, kind: str, number: str) -> Facts:
    found = world.get(kind, number)
    if found is None:
        raise _error(404, "SoftLayer_Exception_ObjectNotFound", f"Unable to find object with id of '{number}'.")
    return found


def _arguments(request: api.Request) -> list[Any]:
    return list(request.body["parameters"])


def _strike(world: World) -> None:
    if world.strikes("storm"):
        raise _error(429, "SoftLayer_Exception", "Rate limit exceeded.")


def _refusals(world: World, order: Facts) -> Iterator[str]:
    yield from (f"Property '{key}' not valid for 'SoftLayer_Virtual_Guest'." for key in order.keys() - TEMPLATE)
    place = order["datacenter"]["name"]
    if place not in PLACES:
        yield f"{place} is not a valid datacenter."
    if order["operatingSystemReferenceCode"] not in IMAGES:
        yield f"{order['operatingSystemReferenceCode']} is not a valid operating system reference code."
    if (order["startCpus"] not in CPUS) or (order["maxMemory"] not in MEMORY):
        yield f"Invalid processors or memory: {order['startCpus']}, {order['maxMemory']}."
    if {device["diskImage"]["capacity"] for device in order["blockDevices"]} - DISKS:
        yield "Invalid disk capacity."
    if order["networkComponents"][0]["maxSpeed"] not in SPEEDS:
        yield "Invalid port speed."
    yield from (f"SSH key {key['id']} not found." for key in order["sshKeys"] if not world.get("keys", str(key["id"])))
    for side in ("primaryNetworkComponent", "primaryBackendNetworkComponent"):
        component = order.get(side, {})
        groups = [binding["securityGroup"]["id"] for binding in component.get("securityGroupBindings", ())]
        yield from (f"Security group {group} not found." for group in groups if not world.get("groups", str(group)))
        vlan = component.get("networkVlan", {}).get("id")
        if vlan and VLANS.get(vlan) != place:
            yield f"VLAN {vlan} is not in {place}."


def _order(world: World, request: api.Request) -> Facts:
    _strike(world)
    (order,) = _arguments(request)
    for key in ("hostname", "domain"):
        if not order.get(key):
            raise _error(500, "SoftLayer_Exception_MissingCreationProperty", f"Property '{key}' must be set.")
    for reason in _refusals(world, order):
        raise _error(500, INVALID, reason)
    if order["datacenter"]["name"] in (world.fault("full") or ()):
        raise _error(500, "SoftLayer_Exception_Public", "There is insufficient capacity to complete the request.")
    made = str(world.number())
    keys = [_object(world, "keys", str(key["id"]))["key"] for key in order["sshKeys"]]
    data = order["userData"][0]["value"] if order.get("userData") else ""
    address = instances.start(world, made, hostname=order["hostname"], user_data=data, public_keys=keys)
    world.put("guests", made, {**order, "maxCpu": order["startCpus"], "address": address, "tags": []})
    return {"id": int(made), "hostname": order["hostname"]}


def _guest(world: World, request: api.Request) -> Facts:
    if world.strikes("busy"):
        raise _error(503, "SoftLayer_Exception", "Service temporarily unavailable.")
    return _told(world, _object(world, "guests", request.parts[0]))


def _told(world: World, found: Facts) -> Facts:
    return {
        "id": int(found["id"]),
        "hostname": found["hostname"],
        "domain": found["domain"],
        "maxCpu": found["maxCpu"],
        "maxMemory": found["maxMemory"],
        "provisionDate": "2025-01-01T00:00:00-06:00",
        "primaryIpAddress": found["address"],
        "primaryBackendIpAddress": found["address"],
        "datacenter": found["datacenter"],
        "powerState": {"keyName": "RUNNING" if instances.runs(world, found["id"]) else "HALTED"},
        "tagReferences": [{"tag": {"name": tag.lower()}} for tag in found["tags"]],
        "sshKeys": found["sshKeys"],
    }


def _guests(world: World, request: api.Request) -> list[Facts]:
    wanted = json.loads(request.query.get("objectFilter", "{}")).get("virtualGuests", {})
    found = [_told(world, each) for each in world.every("guests")]
    for key in ("hostname", "domain"):
        if key in wanted:
            found = [each for each in found if f"_= {each[key]}" == wanted[key]["operation"]]
    tag = wanted.get("tagReferences", {}).get("tag", {}).get("name", {}).get("operation")
    return [each for each in found if not tag or {"tag": {"name": tag}} in each["tagReferences"]]


def _switch(world: World, request: api.Request) -> bool:
    found = _object(world, "guests", request.parts[0])
    runs, how = instances.runs(world, found["id"]), request.parts[1]
    if runs == (how == "On"):
        raise _error(500, "SoftLayer_Exception_Public", f"Unable to power {how}: the guest's state does not allow it.")
    if how == "On":
        found["address"] = instances.resume(world, found["id"])
        world.put("guests", found["id"], found)
    else:
        instances.stop(world, found["id"], hard=how == "Off")
    return True


def _edit(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> bool:
        (facts,) = _arguments(request)
        world.put(kind, request.parts[0], _object(world, kind, request.parts[0]) | facts)
        return True

    return route


def _set_tags(world: World, request: api.Request) -> bool:
    found = _object(world, "guests", request.parts[0])
    world.put("guests", found["id"], found | {"tags": _arguments(request)[0].split(",")})
    return True


def _prices(_world: World, _request: api.Request) -> list[Facts]:
    return [
        {"id": 7000 + size, "categories": [{"categoryCode": category}], "item": {"capacity": str(size), "units": unit}}
        for category, unit, sizes in (("ram", "GB", (1, 2, 4)), ("guest_core", "CORE", (10, 20, 40)))
        for size in sizes
    ]


def _upgrade(world: World, request: api.Request) -> Facts:
    (order,) = _arguments(request)
    assert order["complexType"] == "SoftLayer_Container_Product_Order_Virtual_Guest_Upgrade"
    found = _object(world, "guests", str(order["virtualGuests"][0]["id"]))
    for price in order["prices"]:
        found["maxMemory"] = (price["id"] - 7000) * 1024
    world.put("guests", found["id"], found)
    return {"orderId": world.number()}


def _cancel(world: World, request: api.Request) -> bool:
    found = _object(world, "guests", request.parts[0])
    instances.remove(world, found["id"])
    world.drop("guests", found["id"])
    return True


def _add_key(world: World, request: api.Request) -> Facts:
    _strike(world)
    (key,) = _arguments(request)
    if key["key"] in [each["key"] for each in world.every("keys")]:
        raise _error(500, "SoftLayer_Exception_Public", "SSH Key already exists.")
    made = world.number()
    world.put("keys", str(made), key)
    return {**key, "id": made}


def _every(kind: str) -> api.Route:
    def route(world: World, _request: api.Request) -> list[Facts]:
        return [{**each, "id": int(each["id"])} for each in world.every(kind)]

    return route


def _one(kind: str) -> api.Route:
    return lambda world, request: _object(world, kind, request.parts[0])


def _delete(kind: str) -> api.Route:
    def route(world: World, request: api.Request) -> bool:
        found = _object(world, kind, request.parts[0])
        if kind == "groups" and f'"securityGroup": {{"id": {found["id"]}}}' in json.dumps(world.every("guests")):
            raise _error(500, "SoftLayer_Exception_Public", "Security group is attached to network components.")
        world.drop(kind, found["id"])
        return True

    return route


def _add_group(world: World, request: api.Request) -> Facts:
    _strike(world)
    (group,) = _arguments(request)
    made = world.number()
    world.put("groups", str(made), {**group, "rules": []})
    return {**group, "id": made}


def _add_rules(world: World, request: api.Request) -> Facts:
    group = _object(world, "groups", request.parts[0])
    for rule in _arguments(request)[0]:
        known = [{key: value for key, value in each.items() if key != "id"} for each in group["rules"]]
        if rule.keys() - RULE or rule["direction"] not in ("ingress", "egress") or rule in known:
            raise _error(500, INVALID, f"Invalid or duplicate rule: {rule}")
        group["rules"].append({**rule, "id": world.number()})
    world.put("groups", group["id"], group)
    return {"requestId": "addRules"}


def _remove_rules(world: World, request: api.Request) -> Facts:
    group = _object(world, "groups", request.parts[0])
    gone = _arguments(request)[0]
    rules = [rule for rule in group["rules"] if rule["id"] not in gone]
    world.put("groups", group["id"], {**group, "rules": rules})
    return {"requestId": "removeRules"}


def _guard(_world: World, request: api.Request) -> None:
    if request.headers.get("Authorization") != f"Basic {b64encode(f'{USER}:{KEY}'.encode()).decode()}":
        raise _error(401, "SoftLayer_Exception_InvalidLogin", "Invalid API token.")


CALLS: dict[str, api.Route] = {
    r"GET Account/getCurrentUser": lambda _world, _request: {"id": 5, "username": USER, "email": "ops@example.com"},
    r"GET User_Customer/5/getPermissions": lambda _world, _request: [{"keyName": each} for each in PERMISSIONS],
    r"GET Location_Datacenter/getDatacenters": lambda _world, _request: [{"name": place} for place in PLACES],
    r"GET Account/getVirtualGuests": _guests,
    r"POST Virtual_Guest/createObject": _order,
    r"GET Virtual_Guest/(\d+)/getObject": _guest,
    r"GET Virtual_Guest/(\d+)/deleteObject": _cancel,
    r"GET Virtual_Guest/(\d+)/power(On|Off|OffSoft)": _switch,
    r"POST Virtual_Guest/(\d+)/editObject": _edit("guests"),
    r"POST Virtual_Guest/(\d+)/setTags": _set_tags,
    r"POST Virtual_Guest/(\d+)/getUpgradeItemPrices": _prices,
    r"POST Product_Order/placeOrder": _upgrade,
    r"GET Account/getSshKeys": _every("keys"),
    r"POST Security_Ssh_Key/createObject": _add_key,
    r"GET Security_Ssh_Key/(\d+)/getObject": _one("keys"),
    r"POST Security_Ssh_Key/(\d+)/editObject": _edit("keys"),
    r"GET Security_Ssh_Key/(\d+)/deleteObject": _delete("keys"),
    r"GET Network_SecurityGroup/getAllObjects": _every("groups"),
    r"POST Network_SecurityGroup/createObject": _add_group,
    r"GET Network_SecurityGroup/(\d+)/getObject": _one("groups"),
    r"GET Network_SecurityGroup/(\d+)/getRules": lambda world, request: _one("groups")(world, request)["rules"],
    r"POST Network_SecurityGroup/(\d+)/addRules": _add_rules,
    r"POST Network_SecurityGroup/(\d+)/removeRules": _remove_rules,
    r"POST Network_SecurityGroup/(\d+)/editObject": _edit("groups"),
    r"GET Network_SecurityGroup/(\d+)/deleteObject": _delete("groups"),
}
ROUTES = {f"{call.replace(' ', ' /rest/v3.1/SoftLayer_')}.json": route for call, route in CALLS.items()}


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES, _guard) as address:
        yield {"SL_USERNAME": USER, "SL_API_KEY": KEY, "SOFTLAYER_API_ENDPOINT": f"{address}/rest/v3.1"}


CLOUD = Cloud(
    provider="softlayer",
    plugins={},
    instances="guests",
    serve=_serve,
    resize=("--softlayer-memory", "4096"),
    resized={"maxMemory": 4096},
    zones=("dal10", "dal13"),
    no_credentials={"SL_API_KEY": ""},
)
