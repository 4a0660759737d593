"""A VM of VMware vSphere, cloned from a template or a content library's item.

Options are spelled as docker-machine's vmwarevsphere driver spells them. cloud-init reads what it is told from
guestinfo: https://cloudinit.readthedocs.io/en/latest/reference/datasources/vmware.html.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import pulumi
import pulumi_vsphere as vsphere

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Finding, Identity, Orphan, Power, Vm, bounded, option, vcenter
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError, UsageError
from infra.machine import MachineSpec

MB_IN_GB = 1024
BYTES_IN_MB = 1024**2
BOOT_MINUTES, SHUTDOWN_MINUTES = 10, 1
PREFIX = "mctl."
# What is the template's, and what the guest clears once it has read it: a later one is for a new VM.
OF_FIRST_BOOT = ["clone", "guestId", "firmware", "scsiType", "extraConfig"]


@dataclass(frozen=True, kw_only=True)
class VSphereArgs:
    """Say how large the VM is, where it is and what it is cloned from."""

    template: str = option(
        "",
        help="VM template with cloud-init, by name or path; or an item of --vsphere-content-library (required)",
        env="VSPHERE_TEMPLATE",
        aliases=("--vmwarevsphere-clone-from",),
    )
    datastore: str = option(
        "", help="Datastore for its disk (required)", env="VSPHERE_DATASTORE", aliases=("--vmwarevsphere-datastore",)
    )
    content_library: str = option(
        "",
        help="Content library that holds the template",
        env="VSPHERE_CONTENT_LIBRARY",
        aliases=("--vmwarevsphere-content-library",),
    )
    datacenter: str = option(
        "",
        help="Datacenter; default: the only one",
        env="VSPHERE_DATACENTER",
        aliases=("--vmwarevsphere-datacenter",),
    )
    pool: str = option(
        "",
        help="Resource pool; default: that of the cluster, of the host, or the only one",
        env="VSPHERE_POOL",
        aliases=("--vmwarevsphere-pool",),
    )
    cluster: str = option("", help="Cluster", env="VSPHERE_CLUSTER")
    hostsystem: str = option("", help="ESXi host", env="VSPHERE_HOSTSYSTEM", aliases=("--vmwarevsphere-hostsystem",))
    folder: str = option(
        "",
        help="Folder of VMs that is there, by its path in the datacenter",
        env="VSPHERE_FOLDER",
        aliases=("--vmwarevsphere-folder",),
    )
    network: tuple[str, ...] = option(
        ("VM Network",), help="Network (repeatable)", env="VSPHERE_NETWORK", aliases=("--vmwarevsphere-network",)
    )
    cpu_count: int = option(
        2, help="Virtual processors", env="VSPHERE_CPU_COUNT", aliases=("--vmwarevsphere-cpu-count",)
    )
    memory_size: int = option(
        2048, help="Memory in MB", env="VSPHERE_MEMORY_SIZE", aliases=("--vmwarevsphere-memory-size",)
    )
    disk_size: int = option(
        20480,
        help="Disk in MB, at least the template's; it can grow later",
        env="VSPHERE_DISK_SIZE",
        aliases=("--vmwarevsphere-disk-size",),
    )
    cfgparam: tuple[str, ...] = option(
        (),
        help="Further parameter of the VM: KEY=VALUE (repeatable)",
        env="VSPHERE_CFGPARAM",
        aliases=("--vmwarevsphere-cfgparam",),
    )
    ssh_user: str = option("mctl", help="User to make and log in as", env="VSPHERE_SSH_USER")


@dataclass(frozen=True, kw_only=True)
class _Place:
    pool: pulumi.Output[str]
    host: pulumi.Output[str] | None
    datastore: pulumi.Output[str]
    networks: list[pulumi.Output[str]]


def check(spec: MachineSpec, args: VSphereArgs) -> MachineSpec:
    """Ask for what every VM needs; `orphans` and `doctor` do without. Raises UsageError."""
    for name in ("template", "datastore"):
        if not getattr(args, name):
            raise UsageError(f"provider vsphere needs --vsphere-{name}", machine=spec.name)
    for text in args.cfgparam:
        _parameter(spec.name, text)
    return spec


def vm(spec: MachineSpec, args: VSphereArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the VM, and the tag that says whose it is."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    check(spec, args)
    asking = pulumi.InvokeOutputOptions(parent=opts.parent)
    datacenter = vsphere.get_datacenter_output(name=args.datacenter or None, opts=asking).id
    data = identity.user_data(spec, args.ssh_user)
    machine = vsphere.VirtualMachine(
        f"{spec.name}-vm",
        name=spec.name,
        folder=args.folder or None,
        num_cpus=args.cpu_count,
        memory=args.memory_size,
        extra_config=data.apply(lambda text: _guestinfo(spec, args, text)),
        replace_trigger=pulumi.Output.unsecret(data.apply(lambda text: sha256(text.encode()).hexdigest())),
        tags=[_tag(spec, identity.tags, opts).id],
        wait_for_guest_net_timeout=BOOT_MINUTES,
        shutdown_wait_timeout=SHUTDOWN_MINUTES,
        # No two VMs of a folder have the same name, so the old one goes first.
        opts=_kept_off(spec, bounded(opts, ignore_changes=OF_FIRST_BOOT, delete_before_replace=True)),
        **_placed(args, _place(args, datacenter, asking), datacenter, asking),
    )
    return Vm(
        resource=machine,
        instance_id=machine.moid,
        address=machine.default_ip_address,
        private_address=machine.default_ip_address,
        ssh_user=args.ssh_user,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _place(args: VSphereArgs, datacenter: pulumi.Output[str], asking: pulumi.InvokeOutputOptions) -> _Place:
    """Look up where the VM goes."""
    host = vsphere.get_host_output(datacenter, args.hostsystem, opts=asking) if args.hostsystem else None
    if args.cluster and not args.pool:
        pool = vsphere.get_compute_cluster_output(datacenter, args.cluster, opts=asking).resource_pool_id
    elif host and not args.pool:
        pool = host.resource_pool_id
    else:
        pool = vsphere.get_resource_pool_output(datacenter, args.pool or None, opts=asking).id
    return _Place(
        pool=pool,
        host=host.id if host else None,
        datastore=vsphere.get_datastore_output(datacenter, args.datastore, opts=asking).id,
        networks=[vsphere.get_network_output(datacenter, name=name, opts=asking).id for name in args.network],
    )


def _placed(
    args: VSphereArgs, place: _Place, datacenter: pulumi.Output[str], asking: pulumi.InvokeOutputOptions
) -> dict[str, Any]:
    """Give the inputs that lead to what is there already: a clone's hardware must be its template's."""
    hardware: dict[str, Any] = {}
    if args.content_library:
        library = vsphere.get_content_library_output(name=args.content_library, opts=asking).id
        source = vsphere.get_content_library_item_output(
            library_id=library, name=args.template, type="ovf", opts=asking
        ).id
    else:
        found = vsphere.get_virtual_machine_output(name=args.template, datacenter_id=datacenter, opts=asking)
        source = found.id
        hardware = {"guest_id": found.guest_id, "firmware": found.firmware, "scsi_type": found.scsi_type}
    return hardware | {
        "resource_pool_id": place.pool,
        "host_system_id": place.host,
        "datastore_id": place.datastore,
        "clone": {"template_uuid": source},
        "network_interfaces": [{"network_id": each} for each in place.networks],
        "disks": [{"label": "disk0", "size": -(-args.disk_size // MB_IN_GB), "thin_provisioned": True}],
    }


def _guestinfo(spec: MachineSpec, args: VSphereArgs, user_data: str) -> dict[str, str]:
    """Tell cloud-init, and have it clear the user data: every process of the guest can read guestinfo."""
    about = {"instance-id": spec.name, "local-hostname": spec.name, "cleanup-guestinfo": ["userdata"]}
    told = {
        f"guestinfo.{key}{suffix}": value
        for key, text in (("userdata", user_data), ("metadata", json.dumps(about)))
        for suffix, value in (("", b64encode(text.encode()).decode()), (".encoding", "base64"))
    }
    return dict(_parameter(spec.name, text) for text in args.cfgparam) | told


def _parameter(machine: str, text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise UsageError(f"--vsphere-cfgparam {text!r} is not KEY=VALUE", machine=machine)
    return key, value


def _kept_off(spec: MachineSpec, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Switch a VM off again that is to be off: the plugin switches on whatever it changes."""
    if spec.running:
        return opts

    def off(changed: pulumi.ResourceHookArgs) -> None:
        power(None, changed.new_outputs["moid"], Power.STOP)  # type: ignore[index]

    hook = pulumi.ResourceHook(f"{spec.name}-off", off)
    hooks = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks))


def _tag(spec: MachineSpec, tags: Mapping[str, str], opts: pulumi.ResourceOptions) -> vsphere.Tag:
    """Make a tag of a category of the machine's own: both are named by whose it is."""
    name = PREFIX + ".".join((tags.get(ownership.OWNER, "nobody"), tags[ownership.STACK], tags[ownership.MACHINE]))
    said = " ".join(f"{key}:{value}" for key, value in tags.items())
    category = vsphere.TagCategory(
        f"{spec.name}-category",
        name=name,
        description=said,
        cardinality="SINGLE",
        associable_types=["VirtualMachine"],
        opts=bounded(opts),
    )
    return vsphere.Tag(f"{spec.name}-tag", name=name, description=said, category_id=category.id, opts=bounded(opts))


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
        found = list(_orphans(client, f"{PREFIX}{tags[ownership.OWNER]}."))
    yield from found


def _orphans(client: vcenter.VCenter, start: str) -> Iterator[Orphan]:
    for category in client.ask("GET", "cis/tagging/category"):
        name = client.ask("GET", f"cis/tagging/category/{category}")["name"]
        stack, _, machine = name.removeprefix(start).partition(".")
        if not (name.startswith(start) and machine):
            continue
        made = partial(Orphan, stack=stack, machine=machine)
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
DRIVER = Driver(
    name="vsphere",
    args=VSphereArgs,
    vm=vm,
    check=check,
    declares_power=False,
    power=power,
    account=account,
    policy=POLICY,
    orphans=orphans,
    about=ABOUT,
)
