"""What a vCenter is asked outside an `up`: power, who one is there, what was left behind, what is there already."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from infra.components import ownership
from infra.components.drivers import About, Finding, Orphan, Power, vcenter
from infra.errors import HostError

if TYPE_CHECKING:
    from infra.components.drivers.vsphere import VSphereArgs

BYTES_IN_MB = 1024**2
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
)
# https://registry.terraform.io/providers/vmware/vsphere/latest/docs#notes-on-required-privileges
POLICY = """\
A role with these privileges, at the datacenter, propagating:
Datastore: Allocate space, Browse datastore
Network: Assign network
Resource: Assign virtual machine to resource pool
Virtual machine: Change Configuration (all), Edit Inventory (all), Interaction (power on, power off)
Virtual machine: Provisioning: Deploy template, Clone virtual machine, Read customization specifications
Content library: View configuration settings (for --vsphere-content-library)
and at the vCenter itself:
vSphere Tagging: Create, Edit, Delete and Assign vSphere Tag; Create, Edit and Delete vSphere Tag Category"""


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
    named = (
        ("datacenter", "datacenter", [args.datacenter]),
        ("cluster", "cluster", [args.cluster]),
        ("host", "hostsystem", [args.hostsystem]),
        ("resource-pool", "pool", [args.pool]),
        ("network", "network", args.network),
    )
    for kind, field, names in named:
        for name in filter(None, names):
            there = client.ask("GET", f"vcenter/{kind}", names=_last(name))
            said = name if there else f"there is no {kind} {name}"
            yield Finding(kind.capitalize(), ok=bool(there), value=said, mend=f"choose another with --vsphere-{field}")
    if not args.datastore:
        return
    mend = "choose another with --vsphere-datastore"
    stores = client.ask("GET", "vcenter/datastore", names=_last(args.datastore))
    if not stores:
        yield Finding("Datastore", ok=False, value=f"there is no datastore {args.datastore}", mend=mend)
        return
    free = max(store.get("free_space", 0) for store in stores) // BYTES_IN_MB
    yield Finding("Datastore", ok=free >= args.disk_size, value=f"{args.datastore}, {free} MB free", mend=mend)


def _last(path: str) -> str:
    """Give the name of what a path of the inventory leads to: the API filters by names alone."""
    return path.rpartition("/")[2]


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
