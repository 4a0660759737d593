"""A VM of VMware vSphere, cloned from a template or a content library's item.

Options are spelled as docker-machine's vmwarevsphere driver spells them. cloud-init reads what it is told from
guestinfo: https://cloudinit.readthedocs.io/en/latest/reference/datasources/vmware.html.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pulumi
import pulumi_vsphere as vsphere

from infra.components import firewall, ownership
from infra.components.drivers import Driver, Identity, Power, Vm, bounded, option, vsphere_account
from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec

MB_IN_GB = 1024
BOOT_MINUTES, SHUTDOWN_MINUTES = 10, 1
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
    about = {"instance-id": spec.host_name, "local-hostname": spec.host_name, "cleanup-guestinfo": ["userdata"]}
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
        vsphere_account.power(None, changed.new_outputs["moid"], Power.STOP)  # type: ignore[index]

    hook = pulumi.ResourceHook(f"{spec.name}-off", off)
    hooks = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks))


def _tag(spec: MachineSpec, tags: Mapping[str, str], opts: pulumi.ResourceOptions) -> vsphere.Tag:
    """Make a tag of a category of the machine's own: both are named by whose it is."""
    name = ownership.name(tags)
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


DRIVER = Driver(
    name="vsphere",
    args=VSphereArgs,
    vm=vm,
    check=check,
    declares_power=False,
    power=vsphere_account.power,
    account=vsphere_account.account,
    policy=vsphere_account.POLICY,
    orphans=vsphere_account.orphans,
    find=vsphere_account.find,
    about=vsphere_account.ABOUT,
)
