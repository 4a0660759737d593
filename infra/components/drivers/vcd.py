"""A VM of VMware Cloud Director, made from a catalog's template: the successor of vCloud Air.

Options are spelled as docker-machine's vmwarevcloudair driver spells them. cloud-init reads what it is told from the
VM's guest properties: https://cloudinit.readthedocs.io/en/latest/reference/datasources/ovf.html. The plugin's
`power_on` pulls the plug, and does not see what was switched elsewhere, so power is asked for at the API.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any

import pulumi
import pulumi_vcd as vcd

from infra.components import firewall, ownership
from infra.components.drivers import About, Driver, Finding, Identity, Orphan, Power, Vm, bounded, option, vcd_api
from infra.components.engine_scripts.configure import PORT
from infra.errors import HostError, UsageError
from infra.machine import MachineSpec

DHCP_SECONDS = 300
PREFIX = "mctl."
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
        **_network(args),
    )
    inside = machine.networks.apply(lambda networks: (networks[0].ip or "") if networks else "")
    ports = (firewall.SSH_PORT, PORT) if spec.private_address_only else (args.ssh_port, args.docker_port)
    rules = _nat(spec, args, identity, inside, opts) if args.publicip else []
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


def _network(args: VcdArgs) -> dict[str, Any]:
    """Give the VM's one network. An address of the pool gets into the guest by VMware's customization of it."""
    mode = "DHCP" if args.dhcp else "POOL"
    passwords = {"allow_local_admin_password": False, "auto_generate_password": False}
    return {
        "networks": [
            {"type": "org", "name": args.orgvdcnetwork, "ip_allocation_mode": mode, "adapter_type": "VMXNET3"},
        ],
        "network_dhcp_wait_seconds": DHCP_SECONDS if args.dhcp else None,
        "customization": {"enabled": not args.dhcp, **passwords},
    }


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
        power(None, changed.id, Power.STOP)

    hook = pulumi.ResourceHook(f"{spec.name}-off", off)
    hooks = pulumi.ResourceHookBinding(after_create=[hook], after_update=[hook])
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(hooks=hooks))


def _nat(
    spec: MachineSpec, args: VcdArgs, identity: Identity, inside: pulumi.Output[str], opts: pulumi.ResourceOptions
) -> list[vcd.NsxtNatRule]:
    """Lead two ports of the public address to the VM, and the VM out by it: rules of its own beside all others."""
    as_us = pulumi.InvokeOutputOptions(parent=opts.parent)
    edge = vcd.get_nsxt_edgegateway_output(name=args.edgegateway, vdc=args.vdcid or None, opts=as_us)
    shared: dict[str, Any] = {"edge_gateway_id": edge.id, "external_address": args.publicip, "internal_address": inside}
    rules = [
        vcd.NsxtNatRule(
            f"{spec.name}-out-nat",
            name=_plain_name(identity.tags, "out"),
            rule_type="SNAT",
            opts=bounded(opts),
            **shared,
        )
    ]
    for name, outer, inner in (("ssh", args.ssh_port, firewall.SSH_PORT), ("docker", args.docker_port, PORT)):
        profile = vcd.NsxtAppPortProfile(
            f"{spec.name}-{name}-port",
            name=_plain_name(identity.tags, name),
            context_id=edge.owner_id,
            scope="TENANT",
            app_ports=[vcd.NsxtAppPortProfileAppPortArgs(protocol="TCP", ports=[str(inner)])],
            opts=bounded(opts),
        )
        rule = vcd.NsxtNatRule(
            f"{spec.name}-{name}-nat",
            name=_plain_name(identity.tags, name),
            rule_type="DNAT",
            dnat_external_port=str(outer),
            app_port_profile_id=profile.id,
            opts=bounded(opts),
            **shared,
        )
        rules.append(rule)
    return rules


def _plain_name(tags: Mapping[str, str], what: str) -> str:
    """Name what can bear no metadata, a rule or a port, by it: no machine's name has a space."""
    whose = (tags.get(ownership.OWNER, "nobody"), tags[ownership.STACK], tags[ownership.MACHINE])
    return f"{PREFIX}{'.'.join(whose)} {what}"


def power(_args: VcdArgs | None, instance_id: str, wanted: Power) -> None:
    """Switch the VM, asking its guest by VMware Tools; one that does not shut down is switched off."""
    with vcd_api.session() as director:
        director.switch(instance_id, wanted)


def account(args: VcdArgs) -> Iterator[Finding]:
    """Say whose login it is, whether everything that the options name is there, and how much memory is left."""
    if missing := vcd_api.missing():
        yield Finding("Credentials", ok=False, value=f"missing: {', '.join(missing)}", mend=f"export {missing[0]}=…")
        return
    try:
        with vcd_api.session() as director:
            whose = director.ask(f"{vcd_api.CLOUD}/sessions/current")
            yield Finding("Account", ok=True, value=f"{whose['user']['name']} of {whose['org']['name']}")
            yield from _inventory(director, args)
    except HostError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=f"export {', '.join(vcd_api.needed())}")


def _inventory(director: vcd_api.Director, args: VcdArgs) -> Iterator[Finding]:
    vdcs = list(director.records("orgVdc", name=args.vdcid))
    yield _there("VDC", "vdcid", args.vdcid or (vdcs[0]["name"] if vdcs else "of yours"), vdcs)
    if vdcs and vdcs[0].get("memoryLimitMB"):  # 0 is without limit
        left = vdcs[0]["memoryLimitMB"] - vdcs[0]["memoryUsedMB"]
        yield Finding("Memory", ok=left >= args.memory_size, value=f"{left} MB left", mend="ask for more")
    if args.catalogitem:
        found = list(director.records("vAppTemplate", name=args.catalogitem, catalogName=args.catalog))
        yield _there("Template", "catalogitem", args.catalogitem, found)
    for kind, field, path in (
        ("Network", "orgvdcnetwork", "orgVdcNetworks"),
        ("Edge gateway", "edgegateway", "edgeGateways"),
    ):
        if name := getattr(args, field):
            yield _there(kind, field, name, list(director.every(path, filter=f"name=={name}")))


def _there(kind: str, field: str, name: str, found: list[dict[str, Any]]) -> Finding:
    said = name if found else f"there is no {kind} {name}"
    return Finding(kind, ok=bool(found), value=said, mend=f"choose another with --vcd-{field}")


def orphans(_args: VcdArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List NAT rules and ports by the names that we gave them, and VMs by their metadata."""
    owner = tags[ownership.OWNER]
    with vcd_api.session() as director:
        found = [*_named(director, owner), *_machines(director, owner)]
    yield from found


def _named(director: vcd_api.Director, owner: str) -> Iterator[Orphan]:
    paths: list[tuple[str, str, dict[str, str]]] = [
        (f"edgeGateways/{edge['id']}/nat/rules", "NAT rule", {}) for edge in director.every("edgeGateways")
    ]
    paths.append(("applicationPortProfiles", "port profile", {"filter": "scope==TENANT"}))
    for path, kind, query in paths:
        for each in director.every(path, **query):
            mark, _, rest = each["name"].rpartition(" ")[0].partition(f"{owner}.")
            stack, _, machine = rest.partition(".")
            if mark == PREFIX and machine:
                yield Orphan(
                    kind=kind,
                    id=each["id"],
                    name=each["name"],
                    stack=stack,
                    machine=machine,
                    delete=partial(_delete, f"{vcd_api.CLOUD}/{path}/{each['id']}"),
                )


def _delete(path: str) -> None:
    with vcd_api.session() as director:
        director.delete(path)


def _machines(director: vcd_api.Director, owner: str) -> Iterator[Orphan]:
    for each in director.records("vm", **{f"metadata:{ownership.OWNER}": f"STRING:{owner}"}):
        vm_id = f"urn:vcloud:vm:{each['href'].rpartition('/vm-')[2]}"
        told = director.metadata(vm_id)
        yield Orphan(
            kind="VM",
            id=vm_id,
            name=each["name"],
            stack=told[ownership.STACK],
            machine=told[ownership.MACHINE],
            delete=partial(_delete_vm, vm_id),
        )


def _delete_vm(vm_id: str) -> None:
    with vcd_api.session() as director:
        director.delete_vm(vm_id)


ABOUT = About(
    title="VMware Cloud Director",
    credentials="`VCD_URL` (`https://HOST/api`, of 10.4 or later), `VCD_ORG`, and `VCD_USER` with `VCD_PASSWORD`; or "
    "`VCD_API_TOKEN` with `VCD_AUTH_TYPE=api_token`. `VCD_ALLOW_UNVERIFIED_SSL=true` for one whose certificate nobody "
    "vouches for.",
    example="mctl create web-1 --provider vcd --vcd-catalog images --vcd-catalogitem debian-12 "
    "--vcd-orgvdcnetwork routed --vcd-edgegateway edge-1 --vcd-publicip 198.51.100.7",
    makes="A standalone VM with metadata that says whose it is; with `--vcd-publicip`, a NAT rule and a port profile "
    "each for SSH and Docker, and a NAT rule for the way out. Machines may share a public address if their ports "
    "differ. **The edge gateway's firewall is left alone**: Cloud Director takes its rules only as one whole list, "
    "and a machine that wrote it would remove everybody else's. Let in your networks there, to the VM's address. The "
    "template needs cloud-init, VMware Tools, and the OVF environment as its transport; its disk stays as large as it "
    "is. A change of hardware reboots the VM; one that is off is switched on for it, and off again.",
    costs="What the VM takes of the VDC, as its provider counts it; its disk also while it is off.",
)
# https://registry.terraform.io/providers/vmware/vcd/latest/docs
POLICY = """\
A role with the rights of the global role "vApp Author", and for --vcd-publicip also:
Gateway: View Gateway; NAT Configure, NAT View Only
Application Port Profiles: View and Manage
and for what bears metadata:
Metadata File Entry: Create/Modify"""
DRIVER = Driver(
    name="vcd",
    args=VcdArgs,
    vm=vm,
    check=check,
    declares_power=False,
    power=power,
    private_address=True,
    account=account,
    policy=POLICY,
    orphans=orphans,
    about=ABOUT,
)
