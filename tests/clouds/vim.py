"""The part of a stand-in vCenter's older API, spoken in JSON, that tells privileges.

Source: https://developer.broadcom.com/xapis/virtual-infrastructure-json-api/latest/
"""

from __future__ import annotations

from typing import Any

from tests.clouds import api
from tests.clouds.world import Facts, World

BASE, MANAGERS = "/sdk/vim25/8.0.1.0", ("SessionManager", "AuthorizationManager")
SESSION = "session-of-the-older-api"
ROOT = {"_typeName": "ManagedObjectReference", "type": "Folder", "value": "group-d1"}
TAG_VERBS = ("Attach", "Create", "Delete", "Edit")
# https://docs.vmware.com/en/VMware-vSphere/8.0/vsphere-security/GUID-FEAB5DF5-F7A2-412D-BF3D-7420A355AE8F.html
# and the pages beside it.
PRIVILEGES = {
    *("ContentLibrary.GetConfiguration", "Datastore.AllocateSpace", "Datastore.Browse", "Datastore.DeleteFile"),
    *("InventoryService.Tagging.ObjectAttachable", "Network.Assign", "Resource.AssignVMToPool", "StorageProfile.View"),
    *(f"InventoryService.Tagging.{verb}Tag" for verb in TAG_VERBS),
    *(f"InventoryService.Tagging.{verb}Category" for verb in TAG_VERBS[1:]),
    *(f"VirtualMachine.Config.{each}" for each in ("AddExistingDisk", "AddNewDisk", "AddRemoveDevice", "CPUCount")),
    *(f"VirtualMachine.Config.{each}" for each in ("AdvancedConfig", "DiskExtend", "EditDevice", "Memory")),
    *(f"VirtualMachine.Config.{each}" for each in ("RemoveDisk", "Rename", "Resource", "Settings", "SwapPlacement")),
    *(f"VirtualMachine.Interact.{each}" for each in ("PowerOff", "PowerOn", "Reset", "Suspend")),
    *(f"VirtualMachine.Inventory.{each}" for each in ("Create", "CreateFromExisting", "Delete", "Move", "Register")),
    *(f"VirtualMachine.Provisioning.{each}" for each in ("Clone", "Customize", "DeployTemplate", "ReadCustSpecs")),
}


def routes(user: str, password: str, datacenters: dict[str, str]) -> dict[str, api.Route]:
    """Give the calls. A fault `old`: a vCenter that does not know them; `denied`: privileges that the user lacks."""
    name, _, domain = user.partition("@")
    long_name = f"{domain.upper()}\\{name}"

    def log_in(_world: World, request: api.Request) -> Any:
        if request.body != {"userName": user, "password": password}:
            raise _fault("InvalidLogin")
        session = {"_typeName": "UserSession", "key": "52b0e8a5-0000", "userName": long_name}
        raise api.Answer(200, session, {"vmware-api-session-id": SESSION})

    def judge(world: World, request: api.Request) -> list[Facts]:
        _signed(request)
        if set(request.body) != {"entities", "userName", "privId"}:
            raise _fault("InvalidRequest")
        if request.body["userName"] not in (user, long_name) or set(request.body["privId"]) - PRIVILEGES:
            raise _fault("InvalidArgument")
        there = [ROOT, *(ROOT | {"type": "Datacenter", "value": each} for each in datacenters.values())]
        if any(entity not in there for entity in request.body["entities"]):
            raise _fault("ManagedObjectNotFound")
        denied = world.fault("denied") or ()
        held = [{"privId": each, "isGranted": each not in denied} for each in request.body["privId"]]
        return [{"entity": entity, "privAvailability": held} for entity in request.body["entities"]]

    known = {f"{kind[0].lower()}{kind[1:]}": ROOT | {"type": kind, "value": kind} for kind in MANAGERS}
    return {
        f"GET {BASE}/ServiceInstance/ServiceInstance/content": _known(lambda *_: known | {"rootFolder": ROOT}),
        f"POST {BASE}/SessionManager/SessionManager/Login": _known(log_in),
        f"POST {BASE}/SessionManager/SessionManager/Logout": lambda _world, request: _signed(request),
        f"POST {BASE}/AuthorizationManager/AuthorizationManager/HasUserPrivilegeOnEntities": _known(judge),
    }


def _fault(kind: str) -> api.Answer:
    return api.Answer(500, {"_typeName": kind, "faultMessage": []})


def _signed(request: api.Request) -> None:
    if request.headers.get("vmware-api-session-id") != SESSION:
        raise _fault("NotAuthenticated")


def _known(route: api.Route) -> api.Route:
    def answer(world: World, request: api.Request) -> Any:
        if world.fault("old"):
            raise api.Answer(404, None)
        return route(world, request)

    return answer
