"""What the hypervisors of this computer share: the plugin's resource, and what is looked at before it is made."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pulumi

from infra.components import files
from infra.components.drivers import About, Driver, Finding, Identity, Vm
from infra.components.drivers.plugin_resource import PluginResource, camel
from infra.components.shares import Shares
from infra.errors import PreCreateError, UsageError
from infra.machine import MachineSpec

MIB = 1024**2
FREE_BYTES = 2 * 1024 * MIB  # disks are thin: this much holds Docker's packages and a few images
KEYS = ("authorized_key", "host_private_key", "host_public_key")


class VirtualMachine(PluginResource):
    """The plugin's resource, from the program's side."""

    kind = "hypervisor:index:VirtualMachine"
    computed = ("address", "private_address", "ssh_port", "docker_port", "instance_id")
    secrets = ("hostPrivateKey",)
    address: pulumi.Output[str]
    private_address: pulumi.Output[str]
    ssh_port: pulumi.Output[int]
    docker_port: pulumi.Output[int]
    instance_id: pulumi.Output[str]


@dataclass(frozen=True, kw_only=True)
class Hypervisor:
    """One backend of the plugin.

    inputs: what its options ask for. flags: the option of an input, where named else. shares: how its VMs mount folders
    of this computer. mend: what to do where one can't.
    """

    name: str
    inputs: Callable[[Any], dict[str, Any]]
    flags: Mapping[str, str]
    shares: str = ""
    mend: str = ""

    def driver(self, args: type[Any], about: About | None = None, *, account: bool = True) -> Driver:
        """Make its driver. args: with image, image_sha256 and ssh_user. account: `doctor` looks for its programs."""
        return Driver(
            name=self.name,
            args=args,
            vm=partial(vm, self),
            check=partial(check, self),
            is_local=True,
            account=partial(programs, self.name) if account else None,
            about=about,
        )

    def flag(self, name: str) -> str:
        """Spell the option of one of the plugin's inputs."""
        return "--user-data" if name == "userData" else f"--{self.name}-{self.flags.get(name, name)}"


def vm(
    hypervisor: Hypervisor, spec: MachineSpec, args: Any, identity: Identity | None, opts: pulumi.ResourceOptions
) -> Vm:
    """Declare the VM."""
    assert identity is not None  # noqa: S101 - these drivers make VMs
    keys = {
        "authorized_key": identity.user_public_key,
        "host_private_key": pulumi.Output.secret(identity.host_private_key),
        "host_public_key": identity.host_public_key,
    }
    declared = _declared(hypervisor, spec, args)
    machine = VirtualMachine(f"{spec.name}-vm", declared | keys, opts)
    names = tuple(declared["shares"])
    return Vm(
        resource=machine,
        instance_id=machine.instance_id,
        address=machine.address,
        private_address=machine.private_address,
        ssh_user=args.ssh_user,
        ssh_port=machine.ssh_port.apply(int),  # the engine has one kind of number, and Python prints it as 22.0
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=machine.docker_port.apply(int),
        shares=Shares(kind=hypervisor.shares, names=names, user=args.ssh_user, mend=hypervisor.mend) if names else None,
    )


def _declared(hypervisor: Hypervisor, spec: MachineSpec, args: Any) -> dict[str, Any]:
    """Give the plugin's inputs that the declaration alone decides."""
    return {
        "backend": hypervisor.name,
        "name": spec.name,
        "image": args.image,
        "image_sha256": args.image_sha256,
        "ssh_user": args.ssh_user,
        "user_data": files.read(spec.name, spec.user_data, "user data", "--user-data"),
        "forwards": forwards(hypervisor.name, spec.name, getattr(args, "open_port", ())),
        "shares": shares(hypervisor.name, spec.name, getattr(args, "share_folder", ())),
        "running": spec.running,
    } | hypervisor.inputs(args)


def programs(name: str, _args: Any = None) -> Iterator[Finding]:
    """Look for a hypervisor's programs."""
    # Only a check needs the plugin's code, and only on the computer that makes VMs.
    from infra.plugins.hypervisor.virtual_machine import BACKENDS

    for each in BACKENDS[name].check_host():
        yield Finding(each.what, each.ok, each.found, each.mend)


def check(hypervisor: Hypervisor, spec: MachineSpec, args: Any) -> MachineSpec:
    """Look whether a VM could be made here, and make paths absolute. Raises PreCreateError or UsageError."""
    from infra.plugins.hypervisor import image, inputs, vm_folder

    for finding in programs(hypervisor.name):
        if not finding.ok:
            raise PreCreateError(f"{finding.name}: {finding.value}", machine=spec.name, mend=finding.mend)
    if args.image and "://" not in args.image and not image.here(args.image, args.image_sha256):
        raise PreCreateError(
            f"there is no image {args.image}",
            machine=spec.name,
            mend=f"name an image file or URL with {hypervisor.flag('image')}",
        )
    declared = _declared(hypervisor, spec, args) | dict.fromkeys(KEYS, "to be made")
    _, failures = inputs.check({camel(name): value for name, value in declared.items()})
    if failures:
        flag = hypervisor.flag(failures[0].property)
        raise UsageError(failures[0].reason, machine=spec.name, mend=f"give another {flag}")
    for path in declared["shares"].values():
        if not Path(path).is_dir():
            raise PreCreateError(
                f"{path} is no folder of this computer",
                machine=spec.name,
                mend=f"share one that is: {hypervisor.flag('shares')} FOLDER:NAME",
            )
    _check_ports(hypervisor.name, spec.name, declared["forwards"])
    _check_space(spec.name, vm_folder.home())
    return _with_absolute_paths(spec, args, declared["shares"])


def forwards(provider: str, machine: str, open_ports: tuple[str, ...]) -> dict[str, int]:
    """Give guest port -> port of this computer, 0 to choose one. Raises UsageError."""
    declared = {"22": 0, "2376": 0}
    for text in open_ports:
        host, _, guest = text.rpartition(":")
        if not all(port.isdecimal() and 0 < int(port) < 65536 for port in (guest, host or "1")):
            raise UsageError(
                f"--{provider}-open-port {text!r} is neither GUEST nor HOST:GUEST, ports from 1 to 65535",
                machine=machine,
            )
        declared[guest] = int(host or 0)
    return declared


def shares(provider: str, machine: str, texts: tuple[str, ...]) -> dict[str, str]:
    """Give name -> folder of this computer, absolute. Raises UsageError."""
    declared: dict[str, str] = {}
    for text in texts:
        folder, _, name = text.rpartition(":")
        if not folder or not name or name in declared:
            why = f"names {name} a second time" if name in declared else "is not FOLDER:NAME"
            raise UsageError(f"--{provider}-share-folder {text!r} {why}", machine=machine)
        declared[name] = str(Path(folder).expanduser().absolute())
    return declared


def _check_ports(provider: str, machine: str, declared: Mapping[str, int]) -> None:
    """Refuse a port of this computer that another program has; the machine's own VM may, from a create that stopped."""
    from infra.plugins.hypervisor import ports, vm_folder

    records = [record for folder in vm_folder.every() if (record := folder.load())]
    own = {port for record in records if record.inputs.get("name") == machine for port in record.ports.values()}
    for guest, port in declared.items():
        if port and port not in own and not ports.is_free(port):
            raise PreCreateError(
                f"port {port} of this computer is taken",
                machine=machine,
                mend=f"end the program that listens on it, or choose another: --{provider}-open-port PORT:{guest}",
            )


def _check_space(machine: str, home: Path) -> None:
    there = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < FREE_BYTES:
        raise PreCreateError(
            f"{there} has {free // MIB} MiB free and a VM needs {FREE_BYTES // MIB}",
            machine=machine,
            mend="free some space, or point MCTL_HOME at a larger disk",
        )


def _with_absolute_paths(spec: MachineSpec, args: Any, shared: Mapping[str, str]) -> MachineSpec:
    """The program may run in another folder than the command line did."""
    absolute: dict[str, Any] = {}
    if args.image and "://" not in args.image:
        absolute["image"] = str(Path(args.image).expanduser().absolute())
    if shared:
        absolute["share_folder"] = [f"{folder}:{name}" for name, folder in shared.items()]
    return replace(spec, options={**spec.options, **absolute})
