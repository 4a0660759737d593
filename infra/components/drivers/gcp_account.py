"""What Google says of an account: who one is, what is left of a quota, and what bears our tags.

The REST API by Google's own login library: its client library takes seconds to import.
Source: https://cloud.google.com/compute/docs/reference/rest/v1
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import google.auth
import google.oauth2.credentials
import requests
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession
from google.oauth2 import service_account
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from infra.components import ownership
from infra.components.drivers import Finding, Orphan
from infra.errors import HostError, NotFoundError, PreCreateError

# The plugin's own variables, in its order: https://www.pulumi.com/registry/packages/gcp/installation-configuration/
TOKEN, KEY = "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_CREDENTIALS"
PROJECTS = ("GOOGLE_PROJECT", "GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT")
COMPUTE = ("GOOGLE_COMPUTE_CUSTOM_ENDPOINT", "https://compute.googleapis.com/compute/v1/")
RESOURCES = ("GOOGLE_RESOURCE_MANAGER_CUSTOM_ENDPOINT", "https://cloudresourcemanager.googleapis.com/v1/")
# https://developers.google.com/identity/openid-connect/reference
PEOPLE = ("", "https://openidconnect.googleapis.com/v1/")
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
LOGIN = "gcloud auth application-default login, or export GOOGLE_APPLICATION_CREDENTIALS=KEY.json"
SECONDS = 150.0  # an operation is waited for on the other side for two minutes
TRIES = Retry(total=5, backoff_factor=1, status_forcelist=(429, 502, 503, 504), raise_on_status=False)
WAITS = 10  # https://cloud.google.com/compute/docs/reference/rest/v1/zoneOperations/wait
PERMISSIONS = tuple(
    f"compute.{kind}.{verb}"
    for kind, verbs in {
        "addresses": "get use",
        "disks": "create get setLabels",
        "firewalls": "create delete get list update",
        "globalOperations": "get",
        "instances": "create delete get list setLabels setMachineType setMetadata setScheduling setServiceAccount "
        "setTags start stop update",
        "machineTypes": "get",
        "networks": "get updatePolicy",
        "regions": "get",
        "subnetworks": "use useExternalIp",
        "zoneOperations": "get",
        "zones": "get",
    }.items()
    for verb in verbs.split()
)
POLICY = "\n".join(
    (
        "# gcloud iam roles create mctl --project PROJECT --file FILE",
        "# To give VMs a service account, roles/iam.serviceAccountUser on that account too.",
        "title: mctl",
        "stage: GA",
        "includedPermissions:",
        *(f"- {permission}" for permission in PERMISSIONS),
    )
)


class Login(NamedTuple):
    """Who one is at Google, and in which project. email: empty where it is not known."""

    session: requests.Session
    project: str
    email: str

    def ask(self, endpoint: tuple[str, str], path: str, method: str = "GET", **more: Any) -> Any:
        """Ask the API. Raises HostError with what it says, NotFoundError for what is not there."""
        url = (os.environ.get(endpoint[0]) or endpoint[1]) + path
        try:
            answer = self.session.request(method, url, timeout=SECONDS, **more)
            said = answer.json() if answer.content else {}
        except (GoogleAuthError, requests.RequestException) as error:
            said = error.args[0] if error.args else error
            raise HostError(f"Google: {said}", mend=LOGIN) from None
        if answer.ok:
            return said
        kind = NotFoundError if answer.status_code == requests.codes.not_found else HostError
        message = said.get("error", {}).get("message") or answer.reason
        raise kind(f"Google: {message}", mend="mctl doctor --provider gcp says what is missing")


def login(project: str = "") -> Login:
    """Log in as the plugin does. project: else that of the environment or the credentials. Raises PreCreateError."""
    try:
        credentials, own = _credentials()
    except (GoogleAuthError, OSError, ValueError) as error:
        said = str(error).partition("\n")[0]
        raise PreCreateError(f"no credentials for Google: {said}", mend=LOGIN) from None
    named = project or next((os.environ[name] for name in PROJECTS if os.environ.get(name)), own)
    if not named:
        raise PreCreateError("no project of Google is named", mend="export GOOGLE_PROJECT=ID, or --gcp-project ID")
    email = getattr(credentials, "service_account_email", "") or getattr(credentials, "account", "")
    session = AuthorizedSession(credentials, refresh_status_codes=())  # type: ignore[no-untyped-call]
    session.mount("https://", HTTPAdapter(max_retries=TRIES))
    return Login(session, named, email or "")


def _credentials() -> tuple[Any, str | None]:
    if token := os.environ.get(TOKEN):
        return google.oauth2.credentials.Credentials(token), None  # type: ignore[no-untyped-call]
    key = os.environ.get(KEY, "").strip()
    if not key:
        return google.auth.default(scopes=[SCOPE])
    facts = json.loads(key if key.startswith("{") else Path(key).expanduser().read_text())
    load = service_account.Credentials.from_service_account_info
    return load(facts, scopes=[SCOPE]), facts.get("project_id")  # type: ignore[no-untyped-call]


def account(args: Any) -> Iterator[Finding]:
    """Say who one is, whether the machine type is to be had in the zone, which permissions and quota are there."""
    try:
        who = login(args.project)
    except PreCreateError as error:
        yield Finding("Credentials", ok=False, value=error.message, mend=error.mend or "")
        return
    region = args.zone.rpartition("-")[0]
    try:
        quotas = who.ask(COMPUTE, f"projects/{who.project}/regions/{region}")["quotas"]
    except (HostError, NotFoundError) as error:
        mend = f"check --gcp-project and --gcp-zone, or log in otherwise: {LOGIN}"
        yield Finding("Account", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Account", ok=True, value=f"{who.email or _email(who)}, project {who.project}")
    yield from _permissions(who)
    yield from _room(who, args, {quota["metric"]: quota["limit"] - quota["usage"] for quota in quotas})


def _email(who: Login) -> str:
    """Ask for a person's, which their login may not let anyone see."""
    try:
        return str(who.ask(PEOPLE, "userinfo").get("email") or "a user")
    except (HostError, NotFoundError):
        return "a user"


def _permissions(who: Login) -> Iterator[Finding]:
    asked = {"permissions": list(PERMISSIONS)}
    try:
        said = who.ask(RESOURCES, f"projects/{who.project}:testIamPermissions", "POST", json=asked)
    except (HostError, NotFoundError) as error:  # an API of its own, which a project may not have enabled
        yield Finding("Permissions", ok=False, value=f"unknown: {error.message}", needed=False)
        return
    missing = sorted(set(PERMISSIONS) - set(said.get("permissions", ())))
    value = f"missing: {', '.join(missing)}" if missing else "all there"
    yield Finding("Permissions", ok=not missing, value=value, mend="mctl policy gcp prints a role that has them")


def _room(who: Login, args: Any, left: Mapping[str, float]) -> Iterator[Finding]:
    place = f"projects/{who.project}/zones/{args.zone}/machineTypes/{args.machine_type}"
    try:
        needs = who.ask(COMPUTE, place)["guestCpus"]
    except (HostError, NotFoundError) as error:
        mend = "choose another with --gcp-zone or --gcp-machine-type"
        yield Finding("Machine type", ok=False, value=error.message, mend=mend)
        return
    yield Finding("Machine type", ok=True, value=f"{args.machine_type} in {args.zone}")
    own = f"{args.machine_type.partition('-')[0].upper()}_CPUS"
    metric = own if own in left else "CPUS"
    mend = "ask for more: console.cloud.google.com/iam-admin/quotas"
    yield Finding(
        "Quota",
        ok=left[metric] >= needs,
        value=f"{left[metric]:g} {metric} left, the VM takes {needs}",
        mend=mend,
    )


def orphans(args: Any, tags: Mapping[str, str]) -> Iterator[Orphan]:
    """List VMs by their label, and firewall rules, which bear none, by their description."""
    who = login(args.project)
    owner = tags[ownership.OWNER]
    label = {"filter": f"labels.{ownership.OWNER}={owner}"}
    for zone in _pages(who, f"projects/{who.project}/aggregated/instances", label):
        for instance in zone[1].get("instances", ()):
            own = {item["key"]: item["value"] for item in instance["metadata"].get("items", ())}
            yield from _orphan(who, "VM", instance, owner, own)
    for rule in _pages(who, f"projects/{who.project}/global/firewalls", {}):
        own = {}
        with suppress(ValueError):
            own = json.loads(rule.get("description") or "{}")
        if isinstance(own, dict):
            yield from _orphan(who, "firewall rule", rule, owner, own)


def _pages(who: Login, path: str, query: Mapping[str, str]) -> Iterator[Any]:
    page = ""
    while True:
        said = who.ask(COMPUTE, path, params={**query, **({"pageToken": page} if page else {})})
        items = said.get("items", [])
        yield from items.items() if isinstance(items, dict) else items
        page = said.get("nextPageToken", "")
        if not page:
            return


def _orphan(who: Login, kind: str, found: Mapping[str, Any], owner: str, own: Mapping[str, str]) -> Iterator[Orphan]:
    if not ownership.are_of(own, owner):
        return
    place = found["selfLink"][found["selfLink"].index("projects/") :]
    yield Orphan(
        kind=kind,
        id=place,
        name=found["name"],
        stack=own[ownership.STACK],
        machine=own[ownership.MACHINE],
        delete=partial(_delete, who, place),
    )


def _delete(who: Login, place: str) -> None:
    """Delete a resource and wait until it is gone. Raises HostError."""
    operation = who.ask(COMPUTE, place, "DELETE")
    scope = place.rsplit("/", 2)[0]  # the zone's, or the project's
    for _ in range(WAITS):
        if operation["status"] == "DONE":
            break
        operation = who.ask(COMPUTE, f"{scope}/operations/{operation['name']}/wait", "POST")
    if failures := operation.get("error", {}).get("errors"):
        raise HostError(f"Google: {failures[0]['message']}")
    if operation["status"] != "DONE":
        raise HostError(f"Google did not delete {place}", mend="mctl orphans --provider gcp")


def find(args: Any, instance_id: str) -> str:
    """Give the address of a VM by its name in the zone, or by its path: `projects/…/zones/…/instances/…`."""
    who = login(args.project)
    place = instance_id if "/" in instance_id else f"projects/{who.project}/zones/{args.zone}/instances/{instance_id}"
    card = who.ask(COMPUTE, place)["networkInterfaces"][0]
    addresses = [access["natIP"] for access in card.get("accessConfigs", ()) if access.get("natIP")]
    return str(card["networkIP"] if args.use_internal_ip or args.use_internal_ip_only else next(iter(addresses), ""))
