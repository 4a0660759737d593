"""One virtual guest at the API: ordered, waited for, switched, made larger or smaller, cancelled.

Source: https://sldn.softlayer.com/reference/services/SoftLayer_Virtual_Guest/
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from SoftLayer import VSManager

from infra.machine import HARD_STOP
from infra.plugins.server import PluginError
from infra.plugins.softlayer import api

GUEST_SECONDS = 90.0
LIMIT_SECONDS = 1200.0  # where the engine sets no limit
MB_IN_GB = 1024
MASK = (
    "id,hostname,domain,maxCpu,maxMemory,provisionDate,primaryIpAddress,primaryBackendIpAddress,datacenter[name],"
    "powerState[keyName],activeTransaction[id],tagReferences[tag[name]]"
)


class Guest:
    """A guest by its number. Everything raises api.RefusedError; a wait that ends in vain, PluginError."""

    def __init__(self, client: Any, number: int, seconds: float = LIMIT_SECONDS) -> None:
        self._manager = VSManager(client)
        self._power = client["Virtual_Guest"]
        self.number = number
        self._end = time.monotonic() + (seconds or LIMIT_SECONDS)

    async def look(self) -> dict[str, Any] | None:
        """Give what the API says of it, or None where it is gone."""
        found = await api.found(self._manager.get_instance, self.number, mask=MASK)
        return dict(found) if found else None

    async def ready(self) -> dict[str, Any]:
        """Wait until it is provisioned and nothing is under way with it, and give what the API says of it."""
        await self._until("became ready", self._is_idle)
        return await self._there()

    async def tag(self, tags: list[str]) -> None:
        """Give it these tags and no others."""
        await api.ask(self._manager.set_tags, ",".join(tags), self.number)

    async def rename(self, hostname: str, domain: str) -> None:
        """Give it another name."""
        await api.ask(self._manager.edit, self.number, hostname=hostname, domain=domain)

    async def set_speed(self, speed: int, *, private_only: bool) -> None:
        """Set the speed of its network interfaces, Mbit/s."""
        for public in (False,) if private_only else (True, False):
            await api.ask(self._manager.change_port_speed, self.number, public, speed)

    async def resize(self, cpus: int, memory: int) -> None:
        """Order other processors and memory (MB), and wait until it has them; it restarts."""
        there = await self.ready()
        wanted = {"cpus": cpus if cpus != there["maxCpu"] else None}
        wanted["memory"] = memory // MB_IN_GB if memory != there["maxMemory"] else None
        if not any(wanted.values()):
            return
        await api.ask(self._manager.upgrade, self.number, **wanted)

        async def is_so() -> bool:
            now = await self._there()
            return (now["maxCpu"], now["maxMemory"]) == (cpus, memory)

        await self._until("changed its size", is_so)
        await self.ready()

    async def switch(self, *, running: bool) -> None:
        """Switch it on or off; one that does not shut down when asked is switched off."""

        async def is_so() -> bool:
            return is_running(await self._there()) == running

        await self.ready()
        if await is_so():
            return
        if running:
            await api.ask(self._power.powerOn, id=self.number)
        elif os.environ.get(HARD_STOP):
            await api.ask(self._power.powerOff, id=self.number)
        else:
            await api.ask(self._power.powerOffSoft, id=self.number)
            if await _within(min(GUEST_SECONDS, self._end - time.monotonic()), is_so):
                return
            await api.ask(self._power.powerOff, id=self.number)
        await self._until("switched on" if running else "switched off", is_so)

    async def cancel(self) -> None:
        """Cancel it and wait until it is gone; one that is being provisioned can't be cancelled before it is."""
        last: api.RefusedError | None = None

        async def is_gone() -> bool:
            nonlocal last
            if await self.look() is None:
                return True
            try:
                await api.found(self._manager.cancel_instance, self.number)
            except api.RefusedError as error:
                last = error
            return await self.look() is None

        try:
            await self._until("went away", is_gone)
        except PluginError:
            if last:
                raise last from None
            raise

    async def _there(self) -> dict[str, Any]:
        found = await self.look()
        if found is None:
            raise PluginError(f"guest {self.number} is gone. Run refresh, then up, to make it again")
        return found

    async def _is_idle(self) -> bool:
        now = await self._there()
        has_all = now.get("provisionDate") and now.get("primaryBackendIpAddress")
        return bool(has_all and not now.get("activeTransaction"))

    async def _until(self, what: str, so: Callable[[], Awaitable[bool]]) -> None:
        if not await _within(self._end - time.monotonic(), so):
            raise PluginError(f"SoftLayer: guest {self.number} never {what}; what holds it up: control.softlayer.com")


async def order(client: Any, values: Mapping[str, Any]) -> int:
    """Order a guest and give its number; take over one that a killed run ordered: it has the same name and key."""
    manager = VSManager(client)
    mask = "id,sshKeys[id]"
    for left in await api.ask(manager.list_instances, hostname=values["hostname"], domain=values["domain"], mask=mask):
        if {str(key["id"]) for key in left.get("sshKeys", ())} == set(values["sshKeys"]):
            return int(left["id"])
    groups = values["securityGroups"]
    made = await api.ask(
        manager.create_instance,
        hostname=values["hostname"],
        domain=values["domain"],
        cpus=values["cpus"],
        memory=values["memory"],
        disks=[values["disk"]],
        datacenter=values["datacenter"],
        os_code=values["image"],
        hourly=values["hourly"],
        local_disk=values["localDisk"],
        private=values["privateOnly"],
        public_vlan=values["publicVlan"] or None,
        private_vlan=values["privateVlan"] or None,
        public_security_groups=None if values["privateOnly"] else groups,
        private_security_groups=groups,
        nic_speed=values["networkSpeed"],
        ssh_keys=[int(key) for key in values["sshKeys"]],
        userdata=values["userData"],
    )
    return int(made["id"])


def is_running(there: Mapping[str, Any]) -> bool:
    """Tell whether the API says that a guest is on."""
    return bool((there.get("powerState") or {}).get("keyName") == "RUNNING")


async def _within(seconds: float, so: Callable[[], Awaitable[bool]]) -> bool:
    """Wait until it is so. An API that has no time for one of many questions ends nothing: it is asked again."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while True:
                try:
                    if await so():
                        return True
                except api.RefusedError as error:
                    if not error.passes:
                        raise
                await asyncio.sleep(api.POLL_SECONDS)
    return False
