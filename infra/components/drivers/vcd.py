"""A VM of VMware Cloud Director, made from a catalog's template: the successor of vCloud Air.

Options are spelled as docker-machine's vmwarevcloudair driver spells them. cloud-init reads what it is told from the
VM's guest properties: https://cloudinit.readthedocs.io/en/latest/reference/datasources/ovf.html. The plugin's
`power_on` pulls the plug, and does not see what was switched elsewhere, so power is asked for at the API.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256

import pulumi
import pulumi_vcd as vcd

from infra.components import firewall
from infra.components.drivers import Driver, Identity, Power, Vm, bounded, option, vcd_account, vcd_network
from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec

REQUIRED = ("catalog", "catalogitem", "orgvdcnetwork")
# What a later one is for a new VM only: cloud-init reads it at the first boot.
OF_FIRST_BOOT = ["vappTemplateId", "guestProperties"]


@dataclass(frozen=True, kw_only=True)
class VcdArgs:
    """Say how large the VM is, where it is, what it is made from and how it is reached."""

    catalog: str = option(
        "",
        help="Catalog that holds the template (required)",
        env="VCD_CATALOG",
        aliases=("--vmwarevcloudair-catalog",),
    )
    catalogitem: str = option(
        "",
        help="vApp template of one VM with cloud-init and VMware Tools (required)",
        env="VCD_CATALOGITEM",
        aliases=("--vmwarevcloudair-catalogitem",),
    )
    orgvdcnetwork: str = option(
        "",
        help="Network of the VDC (required)",
        env="VCD_ORGVDCNETWORK",
        aliases=("--vmwarevcloudair-orgvdcnetwork",),
    )
    vdcid: str = option(
        "",
        help="VDC, by its name; default: the organisation's first",
        env="VCD_VDC",
        aliases=("--vmwarevcloudair-vdcid",),
    )
    edgegateway: str = option(
        "",
        help="NSX-T edge gateway of the VDC that is to lead --vcd-publicip to the VM",
        env="VCD_EDGEGATEWAY",
        aliases=("--vmwarevcloudair-edgegateway",),
    )
    publicip: str = option(
        "",
        help="Address of --vcd-edgegateway to reach the VM by; default: the VM's own",
        env="VCD_PUBLICIP",
        aliases=("--vmwarevcloudair-publicip",),
    )
    ssh_port: int = option(
        firewall.SSH_PORT,
        help="Port of --vcd-publicip that leads to SSH",
        env="VCD_SSH_PORT",
        aliases=("--vmwarevcloudair-ssh-port",),
    )
    docker_port: int = option(
        PORT,
        help="Port of --vcd-publicip that leads to Docker",
        env="VCD_DOCKER_PORT",
        aliases=("--vmwarevcloudair-docker-port",),
    )
    cpu_count: int = option(1, help="Virtual processors", env="VCD_CPU_COUNT", aliases=("--vmwarevcloudair-cpu-count",))
    memory_size: int = option(
        2048, help="Memory in MB", env="VCD_MEMORY_SIZE", aliases=("--vmwarevcloudair-memory-size",)
    )
    storage_profile: str = option(
        "", help="Storage policy, such as one that encrypts; default: the VDC's own", env="VCD_STORAGE_PROFILE"
    )
    dhcp: bool = option(
        default=False, help="Take the address from the network's DHCP, not from its static pool", env="VCD_DHCP"
    )
    ssh_user: str = option("mctl", help="User to make and log in as", env="VCD_SSH_USER")


def check(spec: MachineSpec, args: VcdArgs) -> MachineSpec:
    """Ask for what every VM needs; `orphans` and `doctor` do without. Raises UsageError."""
    for name in REQUIRED:
        if not getattr(args, name):
            raise UsageError(f"provider vcd needs --vcd-{name}", machine=spec.name)
    if bool(args.edgegateway) != bool(args.publicip):
        raise UsageError("--vcd-edgegateway and --vcd-publicip go together", machine=spec.name)
    if args.publicip and args.dhcp:
        raise UsageError("--vcd-publicip leads to an address that stays: --vcd-dhcp gives none", machine=spec.name)
    if not args.publicip and (args.ssh_port, args.docker_port) != (firewall.SSH_PORT, PORT):
        raise UsageError("--vcd-ssh-port and --vcd-docker-port are ports of --vcd-publicip", machine=spec.name)
    return spec


def vm(spec: MachineSpec, args: VcdArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the VM, and what leads to it from outside."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    check(spec, args)
    as_us = pulumi.InvokeOutputOptions(parent=opts.parent)
    catalog = vcd.get_catalog_output(name=args.catalog, opts=as_us).id
    data = identity.user_data(spec, args.ssh_user)
    machine = vcd.Vm(
        f"{spec.name}-vm",
        name=spec.host_name,
        computer_name=re.sub("[^A-Za-z0-9-]", "-", spec.host_name),
        vdc=args.vdcid or None,
        vapp_template_id=vcd.get_catalog_vapp_template_output(catalog_id=catalog, name=args.catalogitem, opts=as_us).id,
        cpus=args.cpu_count,
        memory=args.memory_size,
        storage_profile=args.storage_profile or None,
        guest_properties=data.apply(lambda text: _properties(spec, text)),
        metadata_entries=[_entry(key, value) for key, value in identity.tags.items()],
        opts=_kept_off(spec, _once_booted(data, bounded(opts))),
        **vcd_network.network(args),
    )
    inside = machine.networks.apply(lambda networks: (networks[0].ip or "") if networks else "")
    ports = (firewall.SSH_PORT, PORT) if spec.private_address_only else (args.ssh_port, args.docker_port)
    rules = vcd_network.nat(spec, args, identity, inside, opts) if args.publicip else []
    # Nobody gets in, or out, before the rules are there.
    reached = pulumi.Output.all(inside, *(rule.external_address for rule in rules))
    inside = reached.apply(lambda addresses: addresses[0])
    return Vm(
        resource=machine,
        instance_id=machine.id,
        address=reached.apply(lambda addresses: addresses[-1]),
        private_address=inside,
        ssh_user=args.ssh_user,
        ssh_port=ports[0],
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=ports[1],
    )


def _properties(spec: MachineSpec, user_data: str) -> dict[str, str]:
    """Tell cloud-init what its OVF data source reads."""
    return {
        "instance-id": spec.host_name,
        "hostname": spec.host_name,
        "user-data": b64encode(user_data.encode()).decode(),
    }


def _entry(key: str, value: str) -> vcd.VmMetadataEntryArgs:
    return vcd.VmMetadataEntryArgs(
        key=key, value=value, type="MetadataStringValue", user_access="READWRITE", is_system=False
    )


def _once_booted(data: pulumi.Output[str], opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Have other user data make another VM, and nothing else that only the first boot reads."""
    digest = data.apply(lambda text: sha256(text.encode()).hexdigest())
    more = pulumi.ResourceOptions(
        ignore_changes=OF_FIRST_BOOT,
        replacement_trigger=pulumi.Output.unsecret(digest),
        additional_secret_outputs=["guestProperties"],
    )
    return pulumi.ResourceOptions.merge(opts, more)


def _kept_off(spec: MachineSpec, opts: pulumi.ResourceOptions) -> pulumi.ResourceOptions:
    """Switch a VM off again that is to be off: the plugin switches on whatever it changes."""
    if spec.running:
        return opts

    def off(changed: pulumi.ResourceHookArgs) -> None:
        vcd_account.power(None, changed.id, Power.STOP)

    hook = pulumi.ResourceHook(f"{spec.name}-off", off)
    hooks = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks))


DRIVER = Driver(
    name="vcd",
    args=VcdArgs,
    vm=vm,
    check=check,
    declares_power=False,
    power=vcd_account.power,
    private_address=True,
    account=vcd_account.account,
    policy=vcd_account.POLICY,
    orphans=vcd_account.orphans,
    about=vcd_account.ABOUT,
)
