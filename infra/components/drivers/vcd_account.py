"""What Cloud Director is asked outside an `up`: power, who one is there, and what was left behind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

from infra.components import ownership
from infra.components.drivers import About, Finding, Orphan, Power, vcd_api
from infra.components.drivers.vcd_network import PREFIX
from infra.errors import HostError

if TYPE_CHECKING:
    from infra.components.drivers.vcd import VcdArgs

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
    untold="Which rights a role has is told to administrators alone: the role is named. Memory is the only quota.",
)
# https://registry.terraform.io/providers/vmware/vcd/latest/docs
POLICY = """\
A role with the rights of the global role "vApp Author", and for --vcd-publicip also:
Gateway: View Gateway; NAT Configure, NAT View Only
Application Port Profiles: View and Manage
and for what bears metadata:
Metadata File Entry: Create/Modify"""


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
            yield Finding("Role", ok=True, value=", ".join(whose["roles"]))
            yield from _inventory(director, args)
    except HostError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=f"export {', '.join(vcd_api.needed())}")


def _inventory(director: vcd_api.Director, args: VcdArgs) -> Iterator[Finding]:
    vdcs = list(director.records("orgVdc", name=args.vdcid))
    name = args.vdcid or (vdcs[0]["name"] if vdcs else "VDC of yours")
    yield Finding.named("VDC", name, "--vcd-vdcid", there=bool(vdcs))
    if vdcs and vdcs[0].get("memoryLimitMB"):  # 0 is without limit
        left = vdcs[0]["memoryLimitMB"] - vdcs[0]["memoryUsedMB"]
        yield Finding("Memory", ok=left >= args.memory_size, value=f"{left} MB left", mend="ask for more")
    if args.catalogitem:
        found = list(director.records("vAppTemplate", name=args.catalogitem, catalogName=args.catalog))
        yield Finding.named("Template", args.catalogitem, "--vcd-catalogitem", there=bool(found))
    for kind, field, path in (
        ("Network", "orgvdcnetwork", "orgVdcNetworks"),
        ("Edge gateway", "edgegateway", "edgeGateways"),
    ):
        if name := getattr(args, field):
            found = list(director.every(path, filter=f"name=={name}"))
            yield Finding.named(kind, name, f"--vcd-{field}", there=bool(found))


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
