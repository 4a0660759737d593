"""What is asked of DigitalOcean's API outside an `up`: power, prices, whose account it is, and what was left behind.

Source: https://docs.digitalocean.com/reference/api/
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pydo
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest

from infra.components import ownership
from infra.components.drivers import Finding, Orphan, Power, waiting
from infra.errors import HostError, NotFoundError

if TYPE_CHECKING:
    from infra.components.drivers.digitalocean import DigitalOceanArgs

TOKENS = ("DIGITALOCEAN_TOKEN", "DIGITALOCEAN_ACCESS_TOKEN")  # in the plugin's own order
ENDPOINT, SITE = "DIGITALOCEAN_API_URL", "https://cloud.digitalocean.com"
ACTIONS = {Power.START: "power_on", Power.STOP: "shutdown", Power.KILL: "power_off"}
GUEST_SECONDS, ACTION_SECONDS = 90, 300
PAGE = 200
# https://docs.digitalocean.com/reference/api/scopes/
SCOPES = tuple(
    f"{kind}:{verb}"
    for kind, verbs in {
        "account": "read",
        "actions": "read",
        "droplet": "create read update delete",
        "firewall": "create read update delete",
        "image": "read",
        "regions": "read",
        "sizes": "read",
        "ssh_key": "create read update delete",
        "tag": "create read",
        "vpc": "read",
    }.items()
    for verb in verbs.split()
)
POLICY = "A token with these scopes:\n" + "\n".join(SCOPES)


def tags(of: Mapping[str, str]) -> list[str]:
    """Spell tags as DigitalOcean has them: one text of letters, digits, colons, dashes and underscores."""
    return [f"{key}:{ownership.escaped(value, '_')}" for key, value in of.items()]


def _client() -> Any:
    token = next((os.environ[name] for name in TOKENS if os.environ.get(name)), "")
    return pydo.Client(token=token, endpoint=os.environ.get(ENDPOINT) or "https://api.digitalocean.com")


def _asked(call: Callable[[], Any]) -> Any:
    """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
    try:
        answer = call()
    except AzureError as error:
        raise HostError(
            f"DigitalOcean: {error.message}", mend="mctl doctor --provider digitalocean says what is missing"
        ) from None
    if isinstance(answer, dict) and answer.get("id") == "not_found":  # of all failures this one is no exception
        raise NotFoundError(f"DigitalOcean: {answer['message']}", mend="mctl refresh, then mctl up, makes it again")
    return answer


def power(_args: DigitalOceanArgs, instance_id: str, wanted: Power) -> None:
    """Switch the Droplet; one that does not shut down when asked is switched off. Raises HostError."""
    client, droplet = _client(), int(instance_id)
    goal = "active" if wanted is Power.START else "off"
    if _status(client, droplet) == goal:
        return
    _act(client, droplet, ACTIONS[wanted])
    seconds = GUEST_SECONDS if wanted is Power.STOP else ACTION_SECONDS
    if not waiting.until(lambda: _status(client, droplet) == goal, seconds):
        if wanted is not Power.STOP:
            raise HostError(f"DigitalOcean did not {wanted.value} Droplet {droplet} within {seconds} s")
        power(_args, instance_id, Power.KILL)


def _act(client: Any, droplet: int, kind: str) -> None:
    action = _asked(lambda: client.droplet_actions.post(droplet, body={"type": kind}))["action"]["id"]

    def ended() -> bool:
        return bool(_asked(lambda: client.actions.get(action))["action"]["status"] != "in-progress")

    waiting.until(ended, ACTION_SECONDS)


def _status(client: Any, droplet: int) -> str:
    return str(_asked(lambda: client.droplets.get(droplet))["droplet"]["status"])


def account(args: DigitalOceanArgs) -> Iterator[Finding]:
    """Say whose token it is, whether the size is to be had, and how many Droplets and which scopes there are."""
    if not any(os.environ.get(name) for name in TOKENS):
        mend = f"export {TOKENS[0]}=TOKEN, one with read and write scope: cloud.digitalocean.com/account/api"
        yield Finding("Credentials", ok=False, value="no token", mend=mend)
        return
    client = _client()
    try:
        whose = _asked(client.account.get)["account"]
        there = {region["slug"]: region for region in _asked(lambda: client.regions.list(per_page=PAGE))["regions"]}
        used = _asked(lambda: client.droplets.list(per_page=1))["meta"]["total"]
    except HostError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=f"export {TOKENS[0]} with a token that counts")
        return
    status = whose["status"]
    yield Finding("Account", ok=status == "active", value=f"{whose['email']}, {status}", mend="cloud.digitalocean.com")
    has_size = args.region in there and args.size in there[args.region]["sizes"]
    yield Finding(
        "Region",
        ok=has_size,
        value=args.region if has_size else f"{args.region} has no size {args.size}",
        mend="choose another with --digitalocean-region or --digitalocean-size",
    )
    left = whose["droplet_limit"] - used
    yield Finding("Quota", ok=left > 0, value=f"{left} of {whose['droplet_limit']} Droplets left", mend="ask for more")
    yield _scopes(client)


def _scopes(client: Any) -> Finding:
    """Compare the token's scopes with those needed, as doctl asks for them: no documented call tells."""

    def info() -> Any:
        answer = client.send_request(HttpRequest("GET", f"{os.environ.get(ENDPOINT) or SITE}/v1/oauth/token/info"))
        answer.raise_for_status()
        return answer.json()

    try:
        held = set(_asked(info).get("scopes", ()))
    except HostError as error:
        return Finding("Permissions", ok=False, value=f"unknown: {error.message}", needed=False)
    # The scopes of a token that was made without choosing any.
    missing = [scope for scope in SCOPES if not {scope, "read" if scope.endswith(":read") else "write"} & held]
    value = f"missing: {', '.join(missing)}" if missing else "all there"
    mend = "make another token: mctl policy digitalocean prints the scopes"
    return Finding("Permissions", ok=not missing, value=value, mend=mend, needed=False)


def orphans(_args: DigitalOceanArgs, whose: Mapping[str, str]) -> Iterator[Orphan]:
    """List Droplets by their tag; firewalls and keys, which bear none of ours, by the name that we gave them."""
    client = _client()
    (owner,) = tags(whose)
    for droplet in _every(partial(client.droplets.list, tag_name=owner), "droplets"):
        own = _tags_in(droplet["tags"])
        if ownership.are_of(own, whose[ownership.OWNER]):
            yield _orphan("Droplet", droplet, own, partial(client.droplets.destroy, droplet["id"]))
    named = (
        ("firewall", client.firewalls.list, "firewalls", client.firewalls.delete),
        ("SSH key", client.ssh_keys.list, "ssh_keys", client.ssh_keys.delete),
    )
    for kind, listed, key, delete in named:
        for each in _every(listed, key):
            own = ownership.named(each["name"])
            if ownership.are_of(own, whose[ownership.OWNER]):
                yield _orphan(kind, each, own, partial(delete, each["id"]))


def _every(listed: Callable[..., Any], key: str) -> Iterator[Any]:
    """List all pages."""
    for page in count(1):
        answer = _asked(partial(listed, per_page=PAGE, page=page))
        yield from answer[key]
        if "next" not in answer.get("links", {}).get("pages", {}):
            return


def _tags_in(texts: Iterable[str]) -> dict[str, str]:
    pairs = (text.split(":", 1) for text in texts if ":" in text)
    return {key: ownership.unescaped(value, "_") for key, value in pairs}


def _orphan(kind: str, found: Mapping[str, Any], own: Mapping[str, str], delete: Callable[[], Any]) -> Orphan:
    return Orphan(
        kind=kind,
        id=str(found["id"]),
        name=found["name"],
        stack=own[ownership.STACK],
        machine=own[ownership.MACHINE],
        delete=lambda: _asked(delete),
    )


def find(_args: DigitalOceanArgs, instance_id: str) -> str:
    """Give the public address of a Droplet."""
    if not instance_id.isdecimal():
        raise NotFoundError(f"DigitalOcean: {instance_id!r} is no Droplet's id", mend="doctl compute droplet list")
    client = _client()
    droplet = _asked(lambda: client.droplets.get(int(instance_id)))["droplet"]
    return next((str(v4["ip_address"]) for v4 in droplet["networks"]["v4"] if v4["type"] == "public"), "")


def prices(sizes: Collection[str]) -> dict[str, float]:
    """Give what Droplets of these sizes cost each month, backups not counted.

    https://docs.digitalocean.com/reference/api/digitalocean/#tag/Sizes
    """
    listed = _every(_client().sizes.list, "sizes")
    return {size["slug"]: float(size["price_monthly"]) for size in listed if size["slug"] in sizes}
