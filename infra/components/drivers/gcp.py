"""A VM of Google Compute Engine.

Options are spelled as docker-machine's google driver spells them. Google's Debian images have no cloud-init, Ubuntu's
have: https://documentation.ubuntu.com/gcp/. Power is a property of the VM.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pulumi
import pulumi_gcp as gcp

from infra.components import firewall
from infra.components.drivers import About, Driver, Identity, Vm, bounded, gcp_account, gcp_network, option
from infra.components.engine_scripts.configure import PORT
from infra.errors import UsageError
from infra.machine import MachineSpec

ARM = {"t2a", "c4a", "n4a"}  # https://cloud.google.com/compute/docs/instances/arm-on-compute
HYPERDISK = {"c4", "c4a", "c4d", "n4", "n4a", "n4d"}  # take no other disks
SCOPES = tuple(
    f"https://www.googleapis.com/auth/{scope}"
    for scope in ("devstorage.read_only", "logging.write", "monitoring.write")
)
# The plugin makes a name of its resource's: `NAME-firewall-0123abc`. https://cloud.google.com/compute/docs/naming-resources
NAME = re.compile(r"[a-z][a-z0-9-]{0,45}")


def _option(word: str, default: Any, help: str, *more: str) -> Any:  # noqa: A002 - as `option` has it
    """Declare an option that docker-machine has too, with its environment variable."""
    variable = f"GOOGLE_{word.upper().replace('-', '_')}"
    return option(default, help=help, env=variable, aliases=(f"--google-{word}", *more))


@dataclass(frozen=True, kw_only=True)
class GcpArgs:
    """Say how large the VM is, where it is, what it starts from and who its programs are at Google."""

    project: str = _option("project", "", "Project by its id; default: that of the credentials")
    zone: str = _option("zone", "us-central1-a", "Zone")
    machine_type: str = _option("machine-type", "e2-medium", "Machine type")
    machine_image: str = _option(
        "machine-image", "", "Image or image family that a new VM starts from; default: Ubuntu 24.04 LTS"
    )
    username: str = _option("username", "docker-user", "User to make and log in as")
    service_account: str = _option(
        "service-account", "default", "Service account of the VM by its email; empty for none"
    )
    scopes: tuple[str, ...] = _option("scopes", SCOPES, "What the service account may be used for (repeatable)")
    disk_size: int = _option("disk-size", 20, "Disk in GB")
    disk_type: str = _option("disk-type", "", "Type of the disk; default: the balanced one of the machine type")
    network: str = _option("network", "default", "Network")
    subnetwork: str = _option("subnetwork", "", "Subnetwork; default: the network's own in the region")
    address: str = _option("address", "", "Static external address that was reserved, itself or its name")
    spot: bool = option(
        default=False,
        help="Take a Spot VM: cheaper, and Google may stop it at any time",
        env="GOOGLE_PREEMPTIBLE",
        aliases=("--google-preemptible", "--gcp-preemptible"),
    )
    spot_fallback: bool = option(default=False, help="Pay the full price where there is no room for a Spot VM")
    tags: tuple[str, ...] = _option("tags", (), "Further network tag (repeatable)")
    labels: tuple[str, ...] = _option("labels", (), "Further label, KEY=VALUE (repeatable)")
    use_internal_ip: bool = _option(
        "use-internal-ip", default=False, help="Connect to its internal address, not to the external one"
    )
    use_internal_ip_only: bool = _option(
        "use-internal-ip-only", default=False, help="Give it no external address at all"
    )
    open_port: tuple[str, ...] = option(
        (), help="Port to open to everyone: PORT or PORT/udp (repeatable)", aliases=("--google-open-port",)
    )


def vm(spec: MachineSpec, args: GcpArgs, identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Declare the VM and its firewall, which finds it by a network tag."""
    assert identity is not None  # noqa: S101 - this driver makes VMs
    instance = _instance(spec, args, identity, opts)
    gcp_network.firewalls(spec, args, identity.tags, opts)
    private = instance.network_interfaces.apply(lambda cards: cards[0].network_ip or "")
    internal = args.use_internal_ip or args.use_internal_ip_only
    return Vm(
        resource=instance,
        instance_id=instance.id,
        address=private if internal else instance.network_interfaces.apply(gcp_network.external),
        private_address=private,
        ssh_user=args.username,
        ssh_port=firewall.SSH_PORT,
        ssh_private_key=identity.user_private_key,
        ssh_host_key=identity.host_public_key,
        docker_port=PORT,
    )


def _instance(
    spec: MachineSpec, args: GcpArgs, identity: Identity, opts: pulumi.ResourceOptions
) -> gcp.compute.Instance:
    return gcp.compute.Instance(
        f"{spec.name}-vm",
        project=args.project or None,
        zone=args.zone,
        machine_type=args.machine_type,
        boot_disk=_disk(args, _labels(args, identity.tags)),
        network_interfaces=[gcp_network.interface(args, opts)],
        tags=[gcp_network.mark(identity.tags), *gcp_network.each(args.tags)],
        labels=_labels(args, identity.tags),
        metadata={
            **identity.tags,  # to the letter, which labels can't be
            "user-data": identity.user_data(spec, args.username),
            "enable-oslogin": "FALSE",
            "block-project-ssh-keys": "TRUE",
        },
        scheduling=_spot() if args.spot else None,
        service_account=_service_account(args),
        shielded_instance_config=_shielded(args),
        desired_status="RUNNING" if spec.running else "TERMINATED",
        allow_stopping_for_update=True,
        opts=bounded(
            opts,
            additional_secret_outputs=["metadata"],
            # Another disk is another VM: neither a newer image of a family nor other labels are worth that.
            ignore_changes=["bootDisk.initializeParams.image", "bootDisk.initializeParams.labels"],
            delete_before_replace=bool(args.address) or None,  # of two VMs one alone can have it
        ),
    )


def _disk(args: GcpArgs, labels: Mapping[str, str]) -> gcp.compute.InstanceBootDiskArgs:
    """Declare the disk; Google encrypts every one of them."""
    family = _family(args)
    return gcp.compute.InstanceBootDiskArgs(
        auto_delete=True,
        initialize_params=gcp.compute.InstanceBootDiskInitializeParamsArgs(
            image=_image(args),
            size=args.disk_size,
            type=args.disk_type or ("hyperdisk-balanced" if family in HYPERDISK else "pd-balanced"),
            labels=labels,
        ),
    )


def _family(args: GcpArgs) -> str:
    return args.machine_type.partition("-")[0]


def _image(args: GcpArgs) -> str:
    """Name the image; docker-machine's `PROJECT/global/images/NAME` is `projects/…` to the plugin."""
    own = f"ubuntu-os-cloud/ubuntu-2404-lts-{'arm64' if _family(args) in ARM else 'amd64'}"
    return re.sub(r"^(?!projects/)([^/]+)/global/images/", r"projects/\1/global/images/", args.machine_image) or own


def _spot() -> gcp.compute.InstanceSchedulingArgs:
    return gcp.compute.InstanceSchedulingArgs(
        provisioning_model="SPOT", preemptible=True, automatic_restart=False, instance_termination_action="STOP"
    )


def _service_account(args: GcpArgs) -> gcp.compute.InstanceServiceAccountArgs | None:
    if not args.service_account:
        return None
    email = None if args.service_account == "default" else args.service_account
    return gcp.compute.InstanceServiceAccountArgs(email=email, scopes=gcp_network.each(args.scopes))


def _shielded(args: GcpArgs) -> gcp.compute.InstanceShieldedInstanceConfigArgs | None:
    """Boot signed code alone, where the image is known to be signed; others are as Google has them."""
    if args.machine_image or _family(args) in ARM:
        return None
    return gcp.compute.InstanceShieldedInstanceConfigArgs(
        enable_secure_boot=True, enable_vtpm=True, enable_integrity_monitoring=True
    )


def _labels(args: GcpArgs, tags: Mapping[str, str]) -> dict[str, str]:
    """Spell tags as labels may be: https://cloud.google.com/compute/docs/labeling-resources."""
    own = {key: re.sub("[^a-z0-9_-]", "_", value.lower())[:63] for key, value in tags.items()}
    return dict(label.split("=", 1) for label in gcp_network.each(args.labels)) | own


def check(spec: MachineSpec, args: GcpArgs) -> MachineSpec:
    """Refuse what Google can't make, and fill in the project of the credentials. Raises UsageError."""
    if not NAME.fullmatch(spec.name):
        raise UsageError(
            f"Google has no VM {spec.name!r}: small letters, digits and '-', at most 46, a letter first",
            machine=spec.name,
            mend="choose another name",
        )
    if not gcp_network.ipv4(spec.allow_cidrs):
        raise UsageError(
            "--allow-cidr: Google's VM has an IPv4 address, and no IPv4 network may connect to it",
            machine=spec.name,
            mend="--allow-cidr CIDR once more, with an IPv4 network",
        )
    for label in gcp_network.each(args.labels):
        if not re.fullmatch(r"[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}", label):
            raise UsageError(
                f"--gcp-labels {label!r} is not KEY=VALUE of small letters, digits, '_' and '-'", machine=spec.name
            )
    return replace(spec, options={**spec.options, "project": args.project or gcp_account.login().project})


ABOUT = About(
    title="Google Cloud",
    credentials="Application Default Credentials: `gcloud auth application-default login`, or a key file in "
    "`GOOGLE_APPLICATION_CREDENTIALS`. `GOOGLE_OAUTH_ACCESS_TOKEN` and `GOOGLE_CREDENTIALS` come first where they are "
    "set.",
    example="mctl create web-1 --provider gcp --gcp-zone europe-west1-b",
    makes="A VM with its disk, and a firewall rule that lets in SSH and Docker from the allowed networks only; one "
    "more for `--gcp-open-port`.",
    costs="The VM while it is on, its external address with it, and its disk until the machine is removed. Firewall "
    "rules are free.",
)
DRIVER = Driver(
    name="gcp",
    args=GcpArgs,
    vm=vm,
    check=check,
    private_address=True,
    closes=True,
    no_capacity=("does not have enough resources available", "zone_resource_pool_exhausted"),
    spot=("spot",),
    account=gcp_account.account,
    policy=gcp_account.POLICY,
    orphans=gcp_account.orphans,
    find=gcp_account.find,
    about=ABOUT,
)
