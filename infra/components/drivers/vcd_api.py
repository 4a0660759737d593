"""The part of Cloud Director's API that the vcd driver needs: sessions, power, and what bears our marks.

Source: https://developer.broadcom.com/xapis/vmware-cloud-director-api/latest/ (`/api`) and
https://developer.broadcom.com/xapis/vmware-cloud-director-openapi/latest/ (`/cloudapi`).
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from infra.components.drivers import Power
from infra.errors import HostError, NotFoundError

# As the plugin has them: https://registry.terraform.io/providers/vmware/vcd/latest/docs#argument-reference
URL, ORG, SYSTEM_ORG, AUTH = "VCD_URL", "VCD_ORG", "VCD_SYS_ORG", "VCD_AUTH_TYPE"
UNVERIFIED = "VCD_ALLOW_UNVERIFIED_SSL"
SECRETS = {"integrated": ("VCD_USER", "VCD_PASSWORD"), "api_token": ("VCD_API_TOKEN",), "token": ("VCD_TOKEN",)}
VERSION = "37.0"  # of Cloud Director 10.4
SESSION, CLOUD = "X-VMWARE-VCLOUD-ACCESS-TOKEN", "cloudapi/1.0.0"
UNDEPLOY = "application/vnd.vmware.vcloud.undeployVAppParams+json"
ON = 4  # https://developer.broadcom.com/xapis/vmware-cloud-director-api/latest/doc/types/VmType.html
CALL_SECONDS, GUEST_SECONDS, TASK_SECONDS, POLL_SECONDS, PAGE = 60, 90, 600, 1.0, 100
MEND = "mctl doctor --provider vcd says what is missing"


def needed() -> tuple[str, ...]:
    """List the variables without which nobody gets in."""
    return (URL, ORG, *SECRETS.get(_auth(), ()))


def missing() -> list[str]:
    """List those of them that are not set."""
    return [name for name in needed() if not os.environ.get(name)]


def _auth() -> str:
    return os.environ.get(AUTH) or "integrated"


def _org() -> str:
    return os.environ.get(SYSTEM_ORG) or os.environ.get(ORG, "")


class Director:
    """A session. Every call raises HostError with what Cloud Director says, NotFoundError for what is not there."""

    def __init__(self) -> None:
        url = urlsplit(os.environ.get(URL, ""))
        self.root = f"{url.scheme}://{url.netloc}"
        self._session = requests.Session()
        self._verify = os.environ.get(UNVERIFIED, "").lower() not in ("1", "t", "true")
        if not self._verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def log_in(self) -> None:
        """Begin the session, as the plugin does. Raises HostError for a way to log in that only the plugin knows."""
        auth, is_provider = _auth(), _org().lower() == "system"
        if auth not in SECRETS:
            raise HostError(f"{AUTH} {auth}: only {', '.join(SECRETS)} can be used here", mend=MEND)
        secret = [os.environ.get(name, "") for name in SECRETS[auth]]
        if auth == "integrated":
            path = f"{CLOUD}/sessions{'/provider' if is_provider else ''}"
            token = self._call("POST", path, auth=(f"{secret[0]}@{_org()}", secret[1])).headers.get(SESSION, "")
        elif auth == "api_token":
            path = "oauth/provider/token" if is_provider else f"oauth/tenant/{_org()}/token"
            asked = {"grant_type": "refresh_token", "refresh_token": secret[0]}
            token = self._call("POST", path, data=asked).json()["access_token"]
        else:
            token = secret[0]

        def sign(request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.headers["Authorization"] = f"Bearer {token}"
            return request

        self._session.auth = sign  # a header alone would give way to a .netrc

    def log_out(self) -> None:
        """End the session, unless its token was given to us."""
        if _auth() != "token":
            self._call("DELETE", f"{CLOUD}/sessions/current")

    def ask(self, path: str, **query: str) -> Any:
        """Look at PATH below the root."""
        return self._call("GET", path, params=query).json()

    def records(self, kind: str, **equal: str) -> Iterator[dict[str, Any]]:
        """Query records of a type: those of which all these fields are equal."""
        wanted = ";".join(f"{field}=={value}" for field, value in equal.items() if value)
        query = {"type": kind, "format": "records", "pageSize": str(PAGE), **({"filter": wanted} if wanted else {})}
        for page in count(1):
            answer = self.ask("api/query", page=str(page), **query)
            yield from answer["record"]
            if page * PAGE >= answer["total"]:
                return

    def every(self, path: str, **query: str) -> Iterator[dict[str, Any]]:
        """List a collection of the newer API, whose answers name their next page."""
        answer = self._call("GET", f"{CLOUD}/{path}", params={"pageSize": str(PAGE), **query})
        yield from answer.json()["values"]
        while following := answer.links.get("nextPage"):
            url = urlsplit(following["url"])
            answer = self._call("GET", f"{url.path.lstrip('/')}?{url.query}")
            yield from answer.json()["values"]

    def delete(self, path: str) -> None:
        """Delete what is at PATH below the root, and wait until it is gone."""
        self._await_task(self._call("DELETE", path), f"delete {path}")

    def delete_vm(self, vm: str) -> None:
        """Delete a VM, switched on or not. vm: its URN, here as everywhere."""
        with suppress(HostError):  # one that is off is deployed or not
            self._undeploy(vm, "powerOff", TASK_SECONDS)
        self.delete(_path(vm))

    def metadata(self, vm: str) -> dict[str, str]:
        """Give a VM's metadata, as text."""
        entries = self.ask(f"{_path(vm)}/metadata").get("metadataEntry", ())
        return {entry["key"]: str(entry["typedValue"]["value"]) for entry in entries}

    def switch(self, vm: str, wanted: Power) -> None:
        """Switch a VM, and wait until it is so; one that does not shut down when asked is switched off."""
        is_on = self.ask(_path(vm))["status"] == ON
        if wanted is Power.START:
            if not is_on:
                self._await_task(self._call("POST", f"{_path(vm)}/power/action/powerOn"), f"start {vm}")
        elif is_on and not (wanted is Power.STOP and self._shut_down(vm)):
            self._undeploy(vm, "powerOff", TASK_SECONDS)

    def _shut_down(self, vm: str) -> bool:
        try:
            self._undeploy(vm, "shutdown", GUEST_SECONDS)
        except NotFoundError:
            raise
        except HostError:  # no VMware Tools there, or a guest that hangs
            return False
        return True

    def _undeploy(self, vm: str, action: str, seconds: float) -> None:
        headers = {"Content-Type": f"{UNDEPLOY};version={VERSION}"}
        asked = self._call(
            "POST", f"{_path(vm)}/action/undeploy", json={"undeployPowerAction": action}, headers=headers
        )
        self._await_task(asked, f"{action} {vm}", seconds)

    def _await_task(self, answer: requests.Response, what: str, seconds: float = TASK_SECONDS) -> None:
        """Wait for a call's task: the older API answers with it, the newer one names it in a header."""
        href = answer.headers.get("Location") or (answer.json()["href"] if answer.content else "")
        path, end = urlsplit(href).path.lstrip("/"), time.monotonic() + seconds
        while path:
            task = self.ask(path)
            if task["status"] == "success":
                return
            if task["status"] in ("error", "aborted", "canceled"):
                said = (task.get("error") or {}).get("message") or task["status"]
                raise HostError(f"Cloud Director did not {what}: {said}", mend=MEND)
            if time.monotonic() > end:
                with suppress(HostError):  # the VM takes no other order while it is under way
                    self._call("POST", f"{path}/action/cancel")
                raise HostError(f"Cloud Director did not {what} within {seconds:.0f} s", mend=MEND)
            time.sleep(POLL_SECONDS)

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        kind = "application/json" if path.startswith(("cloudapi/", "oauth/")) else "application/*+json"
        headers = {"Accept": f"{kind};version={VERSION}"} | more.pop("headers", {})
        more |= {"timeout": CALL_SECONDS, "verify": self._verify}  # the session's own gives way to REQUESTS_CA_BUNDLE
        try:
            answer = self._session.request(method, f"{self.root}/{path}", headers=headers, **more)
        except requests.RequestException as error:
            raise HostError(f"Cloud Director at {self.root} does not answer: {error}", mend=MEND) from None
        if answer.ok:
            return answer
        code, said = _reason(answer)
        # What is gone is out of reach to the API, unless it was never there.
        if answer.status_code == requests.codes.not_found or code == "ACCESS_TO_RESOURCE_IS_FORBIDDEN":
            raise NotFoundError(f"Cloud Director: {said}", mend="mctl refresh, then mctl up, makes it again")
        raise HostError(f"Cloud Director: {said}", mend=MEND)


def _path(vm: str) -> str:
    """Give the path of a VM by its URN, `urn:vcloud:vm:UUID`."""
    return f"api/vApp/vm-{vm.rpartition(':')[2]}"


def _reason(answer: requests.Response) -> tuple[str, str]:
    try:
        told = answer.json()
        return str(told.get("minorErrorCode")), str(told.get("message") or told.get("error_description") or told)
    except (ValueError, AttributeError):
        return "", f"{answer.status_code} {answer.reason}"


@contextmanager
def session() -> Iterator[Director]:
    """Log in, and out again."""
    director = Director()
    director.log_in()
    try:
        yield director
    finally:
        with suppress(HostError):  # it ends by itself
            director.log_out()
