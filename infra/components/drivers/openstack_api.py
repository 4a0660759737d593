"""What is asked of OpenStack's APIs outside an `up`: whose account it is, what was left behind, what is there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from infra.components import ownership
from infra.components.drivers import Finding, Orphan
from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from infra.components.drivers.openstack import OpenStackArgs

DELETE_SECONDS = 300
KEY_PAIR = (" ", "_")  # what its name may have: it bears no tags
T = TypeVar("T")
Found = tuple[str, Any, Mapping[str, str], Callable[[], Any]]


def tags(of: Mapping[str, str]) -> list[str]:
    """Spell tags as the network service has them."""
    return [f"{key}={value}" for key, value in of.items()]


def networks(place: OpenStackArgs) -> dict[str, str]:
    """List the project's own networks, id -> name. Raises HostError."""

    def listed() -> dict[str, str]:
        return {each.id: each.name for each in _connected(place).network.networks(is_router_external=False)}

    return _asked(place, listed)


def account(place: OpenStackArgs) -> Iterator[Finding]:
    """Say who one is in which project, and whether the flavor and the pool are known, and what is left."""
    try:
        connection, access = _asked(place, lambda: _logged_in(place))
    except HostError as error:
        mend = "source your project's openrc file, or export OS_CLOUD=NAME, an entry of clouds.yaml"
        yield Finding("Credentials", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Account", ok=True, value=f"{access.username} in project {access.project_name}")
    roles = ", ".join(sorted(access.role_names)) or "none"
    may = set(access.role_names) - {"reader"}
    yield Finding("Role", ok=bool(may), value=roles, mend=f"mctl policy {place.provider} says which is needed")
    region = connection.config.get_region_name()
    has_compute = bool(access.service_catalog.get_endpoints_data("compute", region_name=region).get("compute"))
    mend = f"choose another with --{place.provider}-region"
    yield Finding(
        "Region",
        ok=has_compute,
        value=region or "the only one" if has_compute else f"{region} has no servers",
        mend=mend,
    )
    if has_compute:
        yield from _asked(place, lambda: list(_there(place, connection)))


def _there(place: OpenStackArgs, connection: Any) -> Iterator[Finding]:
    flavor = None
    if name := place.flavor_id or place.flavor_name:
        flavor = _found(connection.compute.find_flavor, name)
        yield Finding.named("Flavor", name, f"--{place.provider}-flavor-name", there=bool(flavor))
    if name := place.floatingip_pool:
        pool = _found(connection.network.find_network, name)
        yield Finding.named("Floating IPs", name, f"--{place.provider}-floatingip-pool", there=bool(pool))
    limits = connection.compute.get_limits().absolute
    counted = [("servers", limits.instances, limits.instances_used, 1)]
    if flavor:
        counted += [
            ("vCPUs", limits.total_cores, limits.total_cores_used, flavor.vcpus),
            ("MB of memory", limits.total_ram, limits.total_ram_used, flavor.ram),
        ]
    for what, most, used, needed in counted:
        said = f"{what} without limit" if most < 0 else f"{most - used} of {most} {what} left"
        yield Finding("Quota", ok=most < 0 or most - used >= needed, value=said, mend="ask for more")


def _found(find: Callable[..., Any], name: str) -> Any:
    from openstack.exceptions import NotFoundException

    try:
        return find(name, ignore_missing=False)
    except NotFoundException:
        return None


def orphans(place: OpenStackArgs, whose: Mapping[str, str]) -> Iterator[Orphan]:
    """List servers by their metadata, what belongs to the network by its tags, and key pairs by their names."""
    connection = _asked(place, lambda: _connected(place))
    for kind, found, own, delete in _asked(place, lambda: list(_bearing(connection, tags(whose)[0]))):
        if ownership.are_of(own, whose[ownership.OWNER]):
            yield Orphan(
                kind=kind,
                id=found.id,
                name=found.name or found.id,
                stack=own[ownership.STACK],
                machine=own[ownership.MACHINE],
                delete=partial(_asked, place, delete),
            )


def _bearing(connection: Any, mark: str) -> Iterator[Found]:
    compute, network = connection.compute, connection.network
    for server in compute.servers():
        delete = partial(connection.delete_server, server.id, wait=True, timeout=DELETE_SECONDS)
        yield "server", server, server.metadata, delete
    kinds = (
        ("floating IP", network.ips, network.delete_ip),
        ("port", network.ports, network.delete_port),
        ("security group", network.security_groups, network.delete_security_group),
    )
    for kind, listed, delete in kinds:
        for each in listed(tags=mark):
            own = dict(tag.split("=", 1) for tag in each.tags if "=" in tag)
            yield kind, each, own, partial(delete, each.id)
    for key in compute.keypairs():
        yield "key pair", key, ownership.named(key.name, *KEY_PAIR), partial(compute.delete_keypair, key.name)


def find(place: OpenStackArgs, instance_id: str) -> str:
    """Give the floating IP of a server, its own address where it has none. Raises NotFoundError."""
    from openstack.exceptions import NotFoundException

    def addresses() -> list[Mapping[str, Any]]:
        try:
            found = _connected(place).compute.get_server(instance_id)
        except NotFoundException:
            said = f"{place.provider} has no server {instance_id} in the project"
            raise NotFoundError(said, mend="openstack server list") from None
        return [each for of_network in found.addresses.values() for each in of_network]

    # https://docs.openstack.org/api-ref/compute/#show-server-details
    usable = [each for each in _asked(place, addresses) if each["version"] == place.ip_version]
    usable.sort(key=lambda each: each.get("OS-EXT-IPS:type") != "floating")
    return str(usable[0]["addr"]) if usable else ""


def _connected(place: OpenStackArgs) -> Any:
    import openstack  # half a second, and an `up` needs none of it

    wanted = place.connection()
    region = wanted.pop("region_name", "")
    chain: Any = openstack.config.OpenStackConfig()
    found = chain.get_one(**wanted)
    if region:  # asked for with the others, it may be none but the environment's own
        found.config["region_name"] = region
    return openstack.connection.Connection(config=found)


def _logged_in(place: OpenStackArgs) -> tuple[Any, Any]:
    connection = _connected(place)
    return connection, connection.session.auth.get_access(connection.session)


def _asked(place: OpenStackArgs, call: Callable[[], T]) -> T:
    """Ask the API. Raises HostError with what it says."""
    from keystoneauth1.exceptions import ClientException
    from openstack.exceptions import SDKException

    logging.getLogger("keystoneauth").setLevel(logging.ERROR)  # what it warns of on the way, its error says too
    try:
        return call()
    except Exception as error:
        # Of a password or a user that is missing keystoneauth says so by a plain Exception.
        if not isinstance(error, ClientException | SDKException) and type(error) is not Exception:
            raise
        said = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise HostError(
            f"{place.provider}: {said}", mend=f"mctl doctor --provider {place.provider} says what is missing"
        ) from None
