"""`softlayer:index:VirtualGuest`: a virtual server.

Inputs: hostname, domain, datacenter, image (an operating system's reference code), cpus, memory (MB), disk (GB),
hourly, localDisk, privateOnly, publicVlan and privateVlan (numbers, 0 for any), networkSpeed (Mbit/s), sshKeys and
securityGroups (ids), userData (secret), tags, running, endpoint. Outputs: all of them, address and privateAddress.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, ClassVar

from infra.plugins.server import Operation, PluginError
from infra.plugins.softlayer import guest
from infra.plugins.softlayer.guest import Guest
from infra.plugins.softlayer.resource import Declared, client
from infra.plugins.wire import UNKNOWN, Properties, is_secret, plain, secret

TOKEN = "softlayer:index:VirtualGuest"  # noqa: S105 - a type's name
UNDO_SECONDS = 60.0
FIELDS = {"hostname": "hostname", "domain": "domain", "cpus": "maxCpu", "memory": "maxMemory"}


class VirtualGuest(Declared):
    """Make, look at, change and delete a guest."""

    required = frozenset({"hostname", "domain", "datacenter", "image", "cpus", "memory", "disk", "sshKeys"})
    defaults: ClassVar[Properties] = {
        "hourly": True,
        "localDisk": False,
        "privateOnly": False,
        "publicVlan": 0,
        "privateVlan": 0,
        "networkSpeed": 100,
        "securityGroups": [],
        "userData": "",
        "tags": [],
        "running": True,
    }
    replacing = (required | defaults.keys()) - {
        *("hostname", "domain", "cpus", "memory", "networkSpeed", "tags", "running")
    }
    computed = frozenset({"address", "privateAddress"})

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Order it and wait until it runs; cancel it where that fails."""
        if op.preview:
            return "", self.unsure(_kept_secret(op.news))
        api_client, values = client(op.news), plain(op.news)
        ordering = asyncio.ensure_future(guest.order(api_client, values))
        try:
            made = Guest(api_client, await asyncio.shield(ordering), op.timeout)
            await made.tag(values["tags"])
            await op.log(f"Waiting for guest {made.number}", ephemeral=True)
            await made.switch(running=values["running"])
            there = await made.ready()
        except BaseException:  # also a cancellation: nobody would know of what is left
            await asyncio.shield(_undo(api_client, ordering))
            raise
        return str(made.number), _outputs(op.news, there)

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at it."""
        known = op.old_inputs or op.olds
        there = await Guest(client(known), int(op.id)).look()
        if there is None:
            return None
        seen: Properties = {key: there.get(field) for key, field in FIELDS.items()}
        seen["running"] = guest.is_running(there)
        seen["datacenter"] = (there.get("datacenter") or {}).get("name") or plain(known.get("datacenter"))
        tags = [reference["tag"]["name"] for reference in there.get("tagReferences") or ()]
        seen["tags"] = known["tags"] if _folded(tags) == _folded(known.get("tags", ())) else tags
        inputs = {key: value for key, value in known.items() if key not in self.computed} | seen
        return _outputs(inputs, there), inputs

    async def update(self, op: Operation) -> Properties:
        """Change its name, size, network speed, tags and power."""
        olds, news = plain(op.old_inputs), plain(op.news)
        changed = {key for key in news if news[key] != olds.get(key)}
        if op.preview:
            outputs = op.olds | _kept_secret(op.news)
            return self.unsure(outputs) if "running" in changed else outputs
        there = Guest(client(op.news), int(op.id), op.timeout)
        if "tags" in changed:
            await there.tag(news["tags"])
        if changed & {"hostname", "domain"}:
            await there.rename(news["hostname"], news["domain"])
        if "networkSpeed" in changed:
            await there.set_speed(news["networkSpeed"], private_only=news["privateOnly"])
        if changed & {"cpus", "memory"}:
            await there.resize(news["cpus"], news["memory"])
        await there.switch(running=news["running"])
        return _outputs(op.news, await there.ready())

    async def delete(self, op: Operation) -> None:
        """Cancel it, and wait until it is gone."""
        await Guest(client(op.olds), int(op.id), op.timeout).cancel()


async def _undo(api_client: Any, ordering: asyncio.Future[int]) -> None:
    with suppress(PluginError):  # what went wrong first is what is told
        await Guest(api_client, await ordering, UNDO_SECONDS).cancel()


def _outputs(values: Properties, there: Mapping[str, Any]) -> Properties:
    private = there.get("primaryBackendIpAddress") or ""
    public = private if plain(values).get("privateOnly") else there.get("primaryIpAddress") or ""
    return _kept_secret(values) | {"address": public, "privateAddress": private}


def _folded(tags: Iterable[str]) -> list[str]:
    """Give tags so that they can be compared: they come back in small letters and in no order."""
    return sorted(map(str.lower, tags))


def _kept_secret(values: Properties) -> Properties:
    data = values.get("userData", "")
    return values | {"userData": data if is_secret(data) or data == UNKNOWN else secret(data)}
