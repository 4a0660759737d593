"""What a vCenter is asked outside an `up`: power, who one is there, what was left behind, what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.components import ownership
from infra.components.drivers import About, Finding, Orphan, Power, vcenter
from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from infra.components.drivers.vsphere import VSphereArgs

BYTES_IN_MB = 1024**2
# Their names in the API: https://docs.vmware.com/en/VMware-vSphere/8.0/vsphere-security/
# GUID-FEAB5DF5-F7A2-412D-BF3D-7420A355AE8F.html and its neighbours. What the plugin needs beside:
# https://registry.terraform.io/providers/vmware/vsphere/latest/docs#notes-on-required-privileges.
AT_DATACENTER = tuple(
    f"{kind}.{name}"
    for kind, names in {
        "Datastore": "AllocateSpace Browse",
        "InventoryService.Tagging": "ObjectAttachable",
        "Network": "Assign",
        "Resource": "AssignVMToPool",
        "VirtualMachine.Config": "AddNewDisk AddRemoveDevice AdvancedConfig CPUCount DiskExtend EditDevice Memory "
        "RemoveDisk Rename Resource Settings SwapPlacement",
        "VirtualMachine.Interact": "PowerOff PowerOn",
        "VirtualMachine.Inventory": "Create CreateFromExisting Delete",
        "VirtualMachine.Provisioning": "Clone DeployTemplate ReadCustSpecs",
    }.items()
    for name in names.split()
)
AT_VCENTER = (
    *(f"InventoryService.Tagging.{verb}Category" for verb in ("Create", "Delete", "Edit")),
    *(f"InventoryService.Tagging.{verb}Tag" for verb in ("Attach", "Create", "Delete", "Edit")),
    "StorageProfile.View",
)
OF_LIBRARY = "ContentLibrary.GetConfiguration"
POLICY = "\n".join(
    (
        "A role with these privileges, at the datacenter, propagating:",
        *AT_DATACENTER,
        "and one with these, at the vCenter itself:",
        *AT_VCENTER,
        f"{OF_LIBRARY} (for --vsphere-content-library)",
    )
)
ABOUT = About(
    title="VMware vSphere",
    credentials="`VSPHERE_SERVER` (HOST or HOST:PORT of a vCenter, 7.0 U2 or later), `VSPHERE_USER` and "
    "`VSPHERE_PASSWORD`; `VSPHERE_ALLOW_UNVERIFIED_SSL=true` for one whose certificate nobody vouches for.",
    example="mctl create web-1 --provider vsphere --vsphere-template debian-12 --vsphere-datastore ssd",
    makes="A VM, and a tag with a category of its own that says whose it is. The template needs cloud-init and VMware "
    "Tools. **vSphere has no firewall**: whoever reaches the VM's network reaches its SSH and its Docker port, which "
    "takes nobody without a certificate. A change of its hardware reboots the VM; one that is off is switched on for "
    "it, and off again.",
    costs="What the VM takes of the cluster; its disk is thin, and stays while it is off.",
    untold="A vCenter tells privileges from 8.0 U1 on. Those missing at the datacenter are a warning and no obstacle, "
    "since a folder, a pool or a template in it may have roles of its own. Room on the datastore is the only quota.",
)


def power(_args: VSphereArgs | None, instance_id: str, wanted: Power) -> None:
    """Switch the VM, asking its guest by VMware Tools; one that does not shut down is switched off."""
    with vcenter.session() as client:
        client.switch(instance_id, wanted)


def account(args: VSphereArgs) -> Iterator[Finding]:
    """Say whose login it is, whether everything that the options name is there, and how much room there is."""
    if missing := vcenter.missing():
        yield Finding("Credentials", ok=False, value=f"missing: {', '.join(missing)}", mend=f"export {missing[0]}=…")
        return
    try:
        with vcenter.session() as client:
            yield Finding("Account", ok=True, value=f"{vcenter.user()} at {vcenter.server()}")
            yield from _inventory(client, args)
    except HostError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=f"export {vcenter.USER}, {vcenter.PASSWORD}")


def _inventory(client: vcenter.VCenter, args: VSphereArgs) -> Iterator[Finding]:
    wanted = {"names": args.datacenter} if args.datacenter else {}
    datacenters = client.ask("GET", "vcenter/datacenter", **wanted)
    yield _datacenter(args, [each["name"] for each in datacenters])
    named = (
        ("cluster", "cluster", [args.cluster]),
        ("host", "hostsystem", [args.hostsystem]),
        ("resource-pool", "pool", [args.pool]),
        ("folder", "folder", [args.folder]),
        ("network", "network", args.network),
        ("datastore", "datastore", [args.datastore]),
    )
    for kind, field, names in named:
        for name in filter(None, names):
            there = client.ask("GET", f"vcenter/{kind}", names=name.rpartition("/")[2])  # it filters by no path
            found = Finding.named(kind.capitalize().replace("-", " "), name, f"--vsphere-{field}", there=bool(there))
            yield _room(args, found, there) if there and kind == "datastore" else found
    if len(datacenters) == 1:
        yield _permissions(client, args, datacenters[0]["datacenter"])


def _datacenter(args: VSphereArgs, there: Sequence[str]) -> Finding:
    option = "--vsphere-datacenter"
    if args.datacenter or len(there) == 1:
        return Finding.named("Datacenter", args.datacenter or there[0], option, there=bool(there))
    said = f"there are {len(there)}: {', '.join(sorted(there))}" if there else "there is none that one may see"
    return Finding("Datacenter", ok=False, value=said, mend=f"name one with {option}")


def _room(args: VSphereArgs, found: Finding, stores: Sequence[Mapping[str, Any]]) -> Finding:
    free = max(store.get("free_space", 0) for store in stores) // BYTES_IN_MB
    return replace(found, ok=free >= args.disk_size, value=f"{found.value}, {free} MB free")


def _permissions(client: vcenter.VCenter, args: VSphereArgs, datacenter: str) -> Finding:
    above = (*AT_VCENTER, *((OF_LIBRARY,) if args.content_library else ()))
    mend = "mctl policy vsphere prints those needed"
    try:
        here, everywhere = client.privileges(datacenter, (*AT_DATACENTER, *above))
    except NotFoundError:
        said = "unknown: vCenter tells them from 8.0 U1 on"
        return Finding("Permissions", ok=False, value=said, mend=mend, needed=False)
    except HostError as error:
        return Finding("Permissions", ok=False, value=f"unknown: {error.message}", mend=mend, needed=False)
    missing = [each for each in AT_DATACENTER if each not in here]
    missing += [f"{each} at the vCenter" for each in above if each not in everywhere]
    said = f"missing: {', '.join(missing)}" if missing else "all there"
    return Finding("Permissions", ok=not missing, value=said, mend=mend, needed=False)


def orphans(_args: VSphereArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List the VMs that bear a tag of ours, then the tags and their categories, by the names that we gave them."""
    with vcenter.session() as client:
        found = list(_orphans(client, tags[ownership.OWNER]))
    yield from found


def _orphans(client: vcenter.VCenter, owner: str) -> Iterator[Orphan]:
    for category in client.ask("GET", "cis/tagging/category"):
        name = client.ask("GET", f"cis/tagging/category/{category}")["name"]
        own = ownership.named(name)
        if not ownership.are_of(own, owner):
            continue
        made = partial(Orphan, stack=own[ownership.STACK], machine=own[ownership.MACHINE])
        listed = {"category_id": category}
        for tag in client.ask("POST", "cis/tagging/tag", action="list-tags-for-category", body=listed):
            bearers = client.ask("POST", f"cis/tagging/tag-association/{tag}", action="list-attached-objects")
            for vm_id in (each["id"] for each in bearers if each["type"] == "VirtualMachine"):
                about = client.ask("GET", f"vcenter/vm/{vm_id}")
                uuid = about["identity"]["bios_uuid"]
                yield made(kind="VM", id=uuid, name=about["name"], delete=partial(_delete_vm, vm_id))
            yield made(kind="tag", id=tag, name=name, delete=partial(_delete, f"cis/tagging/tag/{tag}"))
        path = f"cis/tagging/category/{category}"
        yield made(kind="tag category", id=category, name=name, delete=partial(_delete, path))


def _delete(path: str) -> None:
    with vcenter.session() as client:
        client.ask("DELETE", path)


def _delete_vm(vm_id: str) -> None:
    with vcenter.session() as client:
        client.switch(vm_id, Power.KILL)
        client.ask("DELETE", f"vcenter/vm/{vm_id}")


def find(_args: VSphereArgs, instance_id: str) -> str:
    """Give the address that VMware Tools tell of a VM, by its managed object id: `vm-7`."""
    with vcenter.session() as client:
        return client.address(instance_id)
