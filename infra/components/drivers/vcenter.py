"""The part of vCenter's REST API that the vsphere driver needs: sessions, power, guests, tags; and privileges.

Source: https://developer.broadcom.com/xapis/vsphere-automation-api/latest/ (`/api`) and
https://developer.broadcom.com/xapis/virtual-infrastructure-json-api/latest/ (`/sdk`), which alone tells privileges.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3

from infra.components.drivers import Power, waiting
from infra.errors import HostError, NotFoundError

# As the plugin has them: https://www.pulumi.com/registry/packages/vsphere/installation-configuration/
SERVERS = ("VSPHERE_SERVER", "VSPHERE_VCENTER")
USER, PASSWORD, UNVERIFIED = "VSPHERE_USER", "VSPHERE_PASSWORD", "VSPHERE_ALLOW_UNVERIFIED_SSL"
CALL_SECONDS, GUEST_SECONDS, POWER_SECONDS = 60, 90, 600
ON, OFF = "POWERED_ON", "POWERED_OFF"
SESSION = "vmware-api-session-id"
VIM = "sdk/vim25/8.0.1.0"  # its first release, that of vCenter 8.0 U1
MEND = "mctl doctor --provider vsphere says what is missing"


def server() -> str:
    """Give the vCenter that the environment names, or nothing."""
    return next((os.environ[name] for name in SERVERS if os.environ.get(name)), "")


def user() -> str:
    """Give who logs in."""
    return os.environ.get(USER, "")


def missing() -> list[str]:
    """List the variables without which nobody gets in."""
    return [name for name in (USER, PASSWORD) if not os.environ.get(name)] + ([] if server() else [SERVERS[0]])


class VCenter:
    """A session. Every call raises HostError with what vCenter says, NotFoundError for what is not there."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._verify = os.environ.get(UNVERIFIED, "").lower() not in ("1", "t", "true")
        if not self._verify:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def ask(self, method: str, path: str, *, body: Any = None, **query: str) -> Any:
        """Call `/api/PATH`, and give what it answers."""
        return _told(self._call(method, f"api/{path}", params=query, json=body))

    def log_in(self) -> None:
        """Begin the session."""
        login = (user(), os.environ.get(PASSWORD, ""))
        self._session.headers[SESSION] = _told(self._call("POST", "api/session", auth=login))

    def privileges(self, datacenter: str, asked: Sequence[str]) -> tuple[set[str], set[str]]:
        """Give those of these privileges that one has at a datacenter, and at the vCenter itself.

        Raises NotFoundError where the vCenter is older than the API that tells them.
        """
        unsigned = {SESSION: None}  # a session of the other API is none of this one's
        known = _told(self._call("GET", f"{VIM}/ServiceInstance/ServiceInstance/content", headers=unsigned))
        sessions, judge = (
            f"{VIM}/{each['type']}/{each['value']}" for each in (known["sessionManager"], known["authorizationManager"])
        )
        login = {"userName": user(), "password": os.environ.get(PASSWORD, "")}
        begun = self._call("POST", f"{sessions}/Login", json=login, headers=unsigned)
        signed = {SESSION: begun.headers[SESSION]}
        at = [{"_typeName": "ManagedObjectReference", "type": "Datacenter", "value": datacenter}, known["rootFolder"]]
        body = {"entities": at, "userName": _told(begun)["userName"], "privId": list(asked)}
        try:
            answer = _told(self._call("POST", f"{judge}/HasUserPrivilegeOnEntities", json=body, headers=signed))
        finally:
            with suppress(HostError):  # it ends by itself
                self._call("POST", f"{sessions}/Logout", headers=signed)
        held = {
            each["entity"]["value"]: {one["privId"] for one in each["privAvailability"] if one["isGranted"]}
            for each in answer
        }
        return held[datacenter], held[known["rootFolder"]["value"]]

    def power_state(self, vm: str) -> str:
        """Tell whether a VM is `POWERED_ON`, `POWERED_OFF` or `SUSPENDED`."""
        return str(self.ask("GET", f"vcenter/vm/{vm}/power")["state"])

    def switch(self, vm: str, wanted: Power) -> None:
        """Switch a VM, and wait until it is so; one that does not shut down when asked is switched off."""
        goal = ON if wanted is Power.START else OFF
        if self.power_state(vm) != goal:
            if wanted is Power.STOP and self._shut_down(vm):
                return
            self.ask("POST", f"vcenter/vm/{vm}/power", action="start" if wanted is Power.START else "stop")
            self._await(lambda: self.power_state(vm) == goal, f"{wanted.value} VM {vm}")
        if wanted is Power.START:
            self._await(lambda: bool(self.address(vm)), f"tell an address of VM {vm}")

    def address(self, vm: str) -> str:
        """Give what VMware Tools tell; they are silent until the guest has booted."""
        try:
            return str(self.ask("GET", f"vcenter/vm/{vm}/guest/identity").get("ip_address") or "")
        except HostError:
            return ""

    def _shut_down(self, vm: str) -> bool:
        try:
            self.ask("POST", f"vcenter/vm/{vm}/guest/power", action="shutdown")
            self._await(lambda: self.power_state(vm) == OFF, f"stop VM {vm}", GUEST_SECONDS)
        except HostError:  # no VMware Tools there, or a guest that hangs
            return False
        return True

    def _await(self, so: Callable[[], bool], what: str, seconds: float = POWER_SECONDS) -> None:
        if not waiting.until(so, seconds):
            raise HostError(f"vCenter did not {what} within {seconds:.0f} s", mend=MEND)

    def _call(self, method: str, path: str, **more: Any) -> requests.Response:
        more |= {"timeout": CALL_SECONDS, "verify": self._verify}  # the session's own gives way to REQUESTS_CA_BUNDLE
        try:
            answer = self._session.request(method, f"https://{server()}/{path}", **more)
        except requests.RequestException as error:
            raise HostError(f"vCenter {server()} does not answer: {error}", mend=MEND) from None
        if answer.ok:
            return answer
        said = f"vCenter: {_reason(answer)}"
        if answer.status_code == requests.codes.not_found:
            raise NotFoundError(said, mend="mctl refresh, then mctl up, makes it again")
        raise HostError(said, mend=MEND)


def _told(answer: requests.Response) -> Any:
    try:
        return answer.json() if answer.content else None
    except ValueError:
        said = f"vCenter {server()} does not answer as one: {answer.headers.get('Content-Type')}"
        raise HostError(said, mend=MEND) from None


def _reason(answer: requests.Response) -> str:
    try:
        told = answer.json()
        messages = [message["default_message"] for message in told.get("messages", ())]
        return "; ".join([*messages] or [told.get("error_type") or told["_typeName"]])
    except (ValueError, KeyError, AttributeError):
        return f"{answer.status_code} {answer.reason}"


@contextmanager
def session() -> Iterator[VCenter]:
    """Log in, and out again: vCenter lets nobody have many sessions."""
    client = VCenter()
    client.log_in()
    try:
        yield client
    finally:
        with suppress(HostError):  # it ends by itself
            client.ask("DELETE", "session")
