"""A stand-in Azure: the part of Resource Manager that the vendor's SDK is used for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.clouds import api, instances
from tests.clouds.azure_resources import CORES, GROUP, KINDS, LOCATIONS, SIZES, SUBSCRIPTION, address_of
from tests.clouds.cloud import Cloud
from tests.clouds.world import Facts, World

TENANT = "7e4a4700-0000-4000-8000-00000000a2e5"
CLIENT, SECRET, TOKEN = "mctl-tests", "a-secret-of-the-tests", "a-token-of-the-tests"


def _error(status: int, code: str, message: str) -> api.Answer:
    return api.Answer(status, {"error": {"code": code, "message": message}})


def _act(world: World, request: api.Request) -> Any:
    group, name, act = request.parts
    machine = world.get("virtualMachines", f"{GROUP}/{group}/providers/Microsoft.Compute/virtualMachines/{name}")
    if machine is None:
        raise _error(404, "ResourceNotFound", f"The Resource 'Microsoft.Compute/virtualMachines/{name}' was not found.")
    runs = instances.runs(world, machine["id"])
    if act == "start" and not runs:
        instances.resume(world, machine["id"], address_of(world, machine))
    elif act != "start" and runs:
        instances.stop(world, machine["id"], hard=act == "powerOff" and request.query.get("skipShutdown") == "true")
    return {}


def _one(world: World, request: api.Request) -> Any:
    """Tell of one resource, spelled as Resource Manager has it."""
    kind = request.parts[0].split("/")[-2]
    found = world.get(kind, request.parts[0])
    if found is None:
        raise _error(404, "ResourceNotFound", f"The Resource '{request.parts[0]}' was not found.")
    told: Facts = {key: found[key] for key in ("networkProfile", "ipAddress") if key in found}
    if kind == "networkInterfaces":
        told["ipConfigurations"] = [{"name": each["name"], "properties": each} for each in found["ipConfigurations"]]
    return {"id": found["id"], "name": found["name"], "location": found["location"], "properties": told}


def _permissions(world: World, _request: api.Request) -> Any:
    return {"value": world.fault("roles") or [{"actions": ["*"], "notActions": ["Microsoft.Authorization/*/Write"]}]}


def _sizes(_world: World, request: api.Request) -> Any:
    location = re.fullmatch(r"location eq '(\w+)'", request.query["$filter"])
    assert location, request.query
    return {
        "value": [
            {
                "resourceType": "virtualMachines",
                "name": name,
                "family": "standardFamily",
                "capabilities": [{"name": "vCPUs", "value": str(cores)}],
                "locationInfo": [{"location": location[1], "zones": ["1", "2", "3"]}],
                "restrictions": [],
            }
            for name, cores in SIZES.items()
            if location[1] in LOCATIONS
        ]
    }


def _usages(world: World, _request: api.Request) -> Any:
    used = sum(SIZES[each["hardwareProfile"]["vmSize"]] for each in world.every("virtualMachines"))
    limit = world.fault("limit") or CORES
    return {
        "value": [
            {"unit": "Count", "currentValue": used, "limit": limit, "name": {"value": name}}
            for name in ("cores", "standardFamily")
        ]
    }


def _listed(world: World, request: api.Request) -> Any:
    return {"value": [told for kind in KINDS for told in _told(world, kind, KINDS[kind], request)]}


def _told(world: World, type: str, kind: str, request: api.Request) -> list[Facts]:  # noqa: A002 - Azure's word
    wanted = re.fullmatch(r"tagName eq '(.+)' and tagValue eq '(.+)'", request.query["$filter"])
    assert wanted, request.query
    return [
        {"id": each["id"], "name": each["name"], "type": type, "tags": each["tags"], "location": each["location"]}
        for each in world.every(kind)
        if each.get("tags", {}).get(wanted[1]) == wanted[2]
    ]


def _within(world: World, request: api.Request) -> Any:
    start = f"{GROUP}/{request.parts[0]}/"
    found = [each for kind in KINDS.values() for each in world.every(kind) if each["id"].startswith(start)]
    return {"value": [{"id": each["id"], "name": each["name"]} for each in found]}


def _delete(world: World, request: api.Request) -> None:
    id = request.parts[0].replace("/resourcegroups/", "/resourceGroups/")  # noqa: A001 - Azure's word
    kind = id.split("/")[-2]
    if kind == "virtualMachines":
        instances.remove(world, id)
    world.drop(kind, id)
    raise api.Answer(200, None)


def _token(_world: World, request: api.Request) -> Any:
    if (request.body["client_id"], request.body["client_secret"]) != (CLIENT, SECRET):
        raise api.Answer(
            401, {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
        )
    return {"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN}


def _discovery(_world: World, request: api.Request) -> Any:
    base = f"https://{request.headers['Host']}/{TENANT}"
    return {
        "issuer": f"{base}/v2.0",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
    }


def _guarded(route: api.Route) -> api.Route:
    def answer(world: World, request: api.Request) -> Any:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise _error(401, "AuthenticationFailed", "Authentication failed.")
        return route(world, request)

    return answer


PLACE = f"/subscriptions/{SUBSCRIPTION}"
MACHINES = r"/providers/Microsoft\.Compute/virtualMachines"
ROUTES: dict[str, api.Route] = {
    rf"GET /{TENANT}/v2.0/.well-known/openid-configuration": _discovery,
    rf"POST /{TENANT}/oauth2/v2.0/token": _token,
    rf"POST {PLACE}/resourceGroups/([^/]+){MACHINES}/([^/]+)/(start|deallocate|powerOff)": _guarded(_act),
    rf"GET {PLACE}/providers/Microsoft\.Compute/skus": _guarded(_sizes),
    rf"GET {PLACE}/providers/Microsoft\.Compute/locations/\w+/usages": _guarded(_usages),
    rf"GET {PLACE}(?:/resourceGroups/[^/]+)?/providers/Microsoft\.Authorization/permissions": _guarded(_permissions),
    rf"GET ({PLACE}/resourceGroups/[^/]+/providers/.+)": _guarded(_one),
    rf"GET {PLACE}/resources": _guarded(_listed),
    rf"GET {PLACE}/resourcegroups": _guarded(
        lambda world, request: {"value": _told(world, "Microsoft.Resources/resourceGroups", "resourceGroups", request)}
    ),
    rf"GET {PLACE}/resourcegroups/([^/]+)/resources": _guarded(_within),
    rf"DELETE ({PLACE}/resource[gG]roups/.+)": _guarded(_delete),
}


@contextmanager
def _serve(world: World) -> Iterator[dict[str, str]]:
    with api.serve(world, ROUTES) as address:
        yield {
            "ARM_SUBSCRIPTION_ID": SUBSCRIPTION,
            "ARM_TENANT_ID": TENANT,
            "ARM_CLIENT_ID": CLIENT,
            "ARM_CLIENT_SECRET": SECRET,
            "AZURE_AUTHORITY_HOST": address,
            "AZURE_ARM_ENDPOINT": address,
        }


CLOUD = Cloud(
    provider="azure",
    plugins={"azure-native": "azure_resources"},
    instances="virtualMachines",
    serve=_serve,
    resize=("--azure-size", "Standard_D4s_v5"),
    resized={"hardwareProfile": {"vmSize": "Standard_D4s_v5"}},
    zones=("1", "2"),
    no_credentials={"ARM_CLIENT_SECRET": "another"},
    moves=False,
)
