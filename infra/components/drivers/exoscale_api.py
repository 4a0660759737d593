"""What is asked of Exoscale's API outside an `up`: whose account it is, what was left behind, what is there already.

Source: https://openapi-v2.exoscale.com/
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from infra.components import ownership
from infra.components.drivers import Finding, Orphan
from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from infra.components.drivers.exoscale import ExoscaleArgs

KEY, SECRET, ENDPOINT = "EXOSCALE_API_KEY", "EXOSCALE_API_SECRET", "EXOSCALE_API_ENDPOINT"
DELETE_SECONDS = 300
OPERATIONS = (
    *("list-zones", "list-instance-types", "get-instance-type", "list-templates", "get-template", "get-organization"),
    *("list-quotas", "get-operation", "list-instances", "get-instance", "create-instance", "update-instance"),
    *("delete-instance", "start-instance", "stop-instance", "scale-instance", "resize-instance-disk"),
    *("list-anti-affinity-groups", "get-anti-affinity-group", "list-security-groups", "get-security-group"),
    *("create-security-group", "delete-security-group", "add-rule-to-security-group"),
    *("delete-rule-from-security-group", "attach-instance-to-security-group", "detach-instance-from-security-group"),
    *("list-ssh-keys", "get-ssh-key", "register-ssh-key", "delete-ssh-key"),
)
RULE = {"action": "allow", "expression": f"operation in {list(OPERATIONS)}"}
POLICY = json.dumps(
    {"default-service-strategy": "deny", "services": {"compute": {"type": "rules", "rules": [RULE]}}}, indent=2
)


def _client(url: str) -> Any:
    from exoscale.api.v2 import Client  # makes itself from all of the API's description, and an `up` needs none of it

    return Client(os.environ.get(KEY, ""), os.environ.get(SECRET, ""), url=url)


def _url(zone: str) -> str:
    return os.environ.get(ENDPOINT) or f"https://api-{zone}.exoscale.com/v2"


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the API. Raises HostError with what it says."""
    from exoscale.api.exceptions import ExoscaleAPIException
    from requests import RequestException

    try:
        return call()
    except (ExoscaleAPIException, RequestException) as error:
        raise HostError(f"Exoscale: {error}", mend="mctl doctor --provider exoscale says what is missing") from None


def account(args: ExoscaleArgs) -> Iterator[Finding]:
    """Say whose key it is, whether zone and type are known, and how many instances are left."""
    mend = f"export {KEY}=… and {SECRET}=…, of portal.exoscale.com under IAM"
    if not (os.environ.get(KEY) and os.environ.get(SECRET)):
        yield Finding("Credentials", ok=False, value="no API key", mend=mend)
        return
    client = _client(_url(args.place))
    try:
        zones = {zone["name"] for zone in _asked(client.list_zones)["zones"]}
        types = {f"{each['family']}.{each['size']}" for each in _asked(client.list_instance_types)["instance-types"]}
        whose = _asked(client.get_organization)["name"]
        quotas = {quota["resource"]: quota for quota in _asked(client.list_quotas)["quotas"]}
    except HostError as error:
        yield Finding(
            "Credentials", ok=False, value=error.message, mend=f"{mend}; mctl policy exoscale says what it needs"
        )
        return
    yield Finding("Account", ok=True, value=whose)
    for what, wanted, known, flag in (
        ("Zone", args.place, zones, "zone"),
        ("Type", args.type, types, "instance-profile"),
    ):
        has = wanted in known
        mend = f"choose one of {', '.join(sorted(known))} with --exoscale-{flag}"
        yield Finding(what, ok=has, value=wanted if has else f"there is no {wanted}", mend=mend)
    if "instance" in quotas:
        yield _quota(quotas["instance"])


def _quota(quota: Mapping[str, int]) -> Finding:
    if quota["limit"] < 0:
        return Finding("Quota", ok=True, value="instances without limit")
    left = quota["limit"] - quota["usage"]
    return Finding("Quota", ok=left > 0, value=f"{left} of {quota['limit']} instances left", mend="ask for more")


def orphans(args: ExoscaleArgs, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List every zone's instances by their labels; security groups and keys, which bear none, by their names."""
    client = _client(_url(args.place))
    owner = tags[ownership.OWNER]
    for zone in _asked(client.list_zones)["zones"]:
        there = _client(zone["api-endpoint"])
        for each in _asked(there.list_instances)["instances"]:
            own = each.get("labels") or {}
            if ownership.are_of(own, owner) and "manager" not in each:
                yield _orphan("instance", each["id"], each, own, partial(there.delete_instance, id=each["id"]), there)
    for each in _asked(client.list_security_groups)["security-groups"]:
        own = ownership.named(each["name"])
        if ownership.are_of(own, owner):
            delete = partial(client.delete_security_group, id=each["id"])
            yield _orphan("security group", each["id"], each, own, delete, client)
    for each in _asked(client.list_ssh_keys)["ssh-keys"]:
        own = ownership.named(each["name"])
        if ownership.are_of(own, owner):
            yield _orphan("SSH key", each["name"], each, own, partial(client.delete_ssh_key, name=each["name"]), client)


def _orphan(
    kind: str, known: str, found: Mapping[str, Any], tags: Mapping[str, str], delete: Callable[[], Any], client: Any
) -> Orphan:
    def gone() -> None:
        _asked(lambda: client.wait(delete()["id"], max_wait_time=DELETE_SECONDS))

    return Orphan(
        kind=kind,
        id=known,
        name=found["name"],
        stack=tags[ownership.STACK],
        machine=tags[ownership.MACHINE],
        delete=gone,
    )


def find(args: ExoscaleArgs, instance_id: str) -> str:
    """Give the public address of an instance of the zone. Raises NotFoundError."""
    client = _client(_url(args.place))
    # Listed, as the API's description names no answer to an id that is none.
    for each in _asked(client.list_instances)["instances"]:
        if each["id"] == instance_id:
            return str(each.get("public-ip") or "")
    raise NotFoundError(
        f"Exoscale has no instance {instance_id} in {args.place}", mend="export EXOSCALE_AVAILABILITY_ZONE=its zone"
    )
