"""`softlayer:index:SshKey`: a public key of the account.

Inputs: label, publicKey, notes, endpoint. Outputs: the same.
"""

from __future__ import annotations

from typing import ClassVar

from SoftLayer import SshKeyManager

from infra.plugins.server import Operation, PluginError
from infra.plugins.softlayer import api
from infra.plugins.softlayer.resource import Declared, client
from infra.plugins.wire import Properties, plain

TOKEN = "softlayer:index:SshKey"  # noqa: S105 - a type's name
FIELDS = {"label": "label", "publicKey": "key", "notes": "notes"}


class SshKey(Declared):
    """Make, look at, change and delete a key."""

    required = frozenset({"label", "publicKey"})
    defaults: ClassVar[Properties] = {"notes": ""}
    replacing = frozenset({"publicKey"})

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Add it; take over what a killed run of the same program left, which bears the same notes."""
        if op.preview:
            return "", self.unsure(op.news)
        manager, values = SshKeyManager(client(op.news)), plain(op.news)
        for left in await api.ask(manager.list_keys, label=values["label"]):
            if (left["key"].strip(), left.get("notes")) == (values["publicKey"].strip(), values["notes"]):
                return str(left["id"]), op.news
        made = await api.ask(manager.add_key, values["publicKey"], values["label"], values["notes"])
        return str(made["id"]), op.news

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Look at it."""
        known = op.old_inputs or op.olds
        there = await api.found(SshKeyManager(client(known)).get_key, int(op.id))
        if there is None:
            return None
        seen = {key: there.get(field) or "" for key, field in FIELDS.items()}
        inputs = known | {key: value for key, value in seen.items() if value.strip() != known.get(key, "").strip()}
        return inputs, inputs

    async def update(self, op: Operation) -> Properties:
        """Change its label and notes."""
        if not op.preview:
            values = plain(op.news)
            edit = SshKeyManager(client(op.news)).edit_key
            if await api.found(edit, int(op.id), label=values["label"], notes=values["notes"]) is None:
                raise PluginError(f"SSH key {op.name} is gone. Run refresh, then up, to make it again")
        return op.news

    async def delete(self, op: Operation) -> None:
        """Delete it."""
        await api.found(SshKeyManager(client(op.olds)).delete_key, int(op.id))
