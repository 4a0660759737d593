"""What the four resources have in common: inputs as a table, and from it checks, diffs, previews and stack state.

None of them has anything outside the stack state, so reading gives back the state and deleting does nothing.
"""

from __future__ import annotations

import asyncio
import re
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from infra.plugins.server import CheckFailure, Diff, Operation, PluginError, Resource
from infra.plugins.tls.validators import Validator, anything
from infra.plugins.wire import UNKNOWN, Properties, has_unknown, plain, secret

SUBJECT_FIELDS = (
    "commonName",
    "country",
    "emailAddress",
    "locality",
    "organization",
    "organizationalUnit",
    "postalCode",
    "province",
    "serialNumber",
    "streetAddresses",
)
MISSING = (
    "Missing Configuration for Required Attribute. Must set a configuration value for the {path} attribute as the "
    "provider has marked it as required.\n\nRefer to the provider documentation or contact the provider developers "
    "for additional information about configurable attributes that are required."
)
# Only a value that is a PEM in the state forces a replacement: very old states hold a hash in its place.
PEM = re.compile(r"-----BEGIN [A-Za-z ]+-----\n[\s\S]+\n-----END [A-Za-z ]+-----\n?")


def always(_old: Any) -> bool:
    """Make a new one of whatever changes."""
    return True


def never(_old: Any) -> bool:
    """Let a change be made in place."""
    return False


def if_pem(old: Any) -> bool:
    """Replace where the state holds a PEM."""
    return isinstance(old, str) and PEM.fullmatch(old) is not None


@dataclass(frozen=True)
class Input:
    """Describe one input.

    computed: where it isn't given, the state's value stays. replaces: does a change of this old value make a new one?
    """

    required: bool = False
    default: Any = None
    computed: bool = False
    replaces: Callable[[Any], bool] = always
    validator: Validator = anything


class TlsResource(Resource):
    """Make something of the inputs, once."""

    inputs: ClassVar[Mapping[str, Input]]
    outputs: ClassVar[tuple[str, ...]]  # next to the inputs and the id
    secrets: ClassVar[frozenset[str]]
    outputs_follow: ClassVar[bool] = False  # a changed input makes every output a part of the diff
    schema_version: ClassVar[int] = 0

    @abstractmethod
    def make(self, planned: Properties) -> Properties:
        """Make it: the outputs and `id`."""

    async def warn(self, op: Operation, planned: Properties) -> None:
        """Tell the user what may not be meant."""

    def planned(self, olds: Properties, news: Properties) -> Properties:
        """Fill in every input: given, kept, default or None; UNKNOWN for a computed one of something new."""
        result = {}
        for name, spec in self.inputs.items():
            value = news.get(name)
            if value is None:
                value = (olds.get(name) if olds else UNKNOWN) if spec.computed else spec.default
            result[name] = value
        return result

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        """Mark the secrets and say what is wrong."""
        news = plain(op.news)
        return self._marked(news), [
            CheckFailure("", f"{text}. Examine values at '{op.name}.{where}'.")
            for where, text in self._complaints(news)
        ]

    def _complaints(self, news: Properties) -> list[tuple[str, str]]:
        found = []
        for name, spec in self.inputs.items():
            path, value = re.sub(r"([A-Z])", r"_\1", name).lower(), news.get(name)
            if value is None:
                if spec.required:
                    found.append((name, MISSING.format(path=path)))
            elif value != UNKNOWN:
                found += [(name + suffix, text) for suffix, text in spec.validator(path, value)]
        return found

    def diff(self, op: Operation) -> Diff:
        """Compare input by input."""
        olds = plain(op.olds)
        planned = self.planned(olds, plain(op.news))
        changed = {name for name, value in planned.items() if olds.get(name) != value}
        replaces = {name for name in changed if name in self.inputs and self.inputs[name].replaces(olds.get(name))}
        if changed and self.outputs_follow:
            changed |= {*self.outputs, "id"}
        return Diff(diffs=tuple(sorted(changed)), replaces=tuple(sorted(replaces)))

    async def create(self, op: Operation) -> tuple[str, Properties]:
        """Make it off the event loop: an RSA key takes its time."""
        planned = self.planned({}, plain(op.news))
        if op.preview:
            return "", self._preview({**dict.fromkeys((*self.outputs, "id"), UNKNOWN), **planned})
        await self.warn(op, planned)
        planned = {name: None if value == UNKNOWN else value for name, value in planned.items()}
        made = await asyncio.to_thread(self.make, planned)
        return made["id"], self.state({**planned, **made})

    async def update(self, op: Operation) -> Properties:
        """Keep what was made; only inputs that don't go into it change in place."""
        olds = {name: value for name, value in plain(op.olds).items() if not name.startswith("__")}
        values = {**olds, **self.planned(olds, plain(op.news))}
        return self._preview(values) if op.preview else self.state(values)

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Give the state back."""
        if not op.olds:
            raise PluginError(
                "Resource Import Not Implemented: This resource does not support import. "
                "Please contact the provider developer for additional information."
            )
        olds = {name: value for name, value in plain(op.olds).items() if not name.startswith("__")}
        return self.state(olds), self._marked(plain(op.old_inputs))

    def _marked(self, values: Properties) -> Properties:
        return {name: secret(value) if name in self.secrets else value for name, value in values.items()}

    def _preview(self, values: Properties) -> Properties:
        known = {name: value for name, value in values.items() if value is not None}
        unknown = {name: value for name, value in known.items() if has_unknown(value)}
        return {**self._marked(known), **unknown}  # what isn't known yet isn't secret

    def state(self, values: Properties) -> Properties:
        """Write values as the stack state holds them, with what the official plugin needs to read them back."""
        nested = {
            name: delta for name in self.inputs if (delta := _raw_state_delta(name, values.get(name))) is not None
        }
        state = self._preview(values)
        state["__pulumi_raw_state_delta"] = {"obj": {"ps": nested} if nested else {}}
        if self.schema_version:
            state["__meta"] = f'{{"schema_version":"{self.schema_version}"}}'
        return state


def _raw_state_delta(name: str, value: Any) -> Properties | None:
    """Say how a property differs from the Terraform state that the official plugin keeps behind it.

    Source: https://github.com/pulumi/pulumi-terraform-bridge/blob/master/pkg/tfbridge/rawstate.go
    """
    if value is None:
        return secret({"replace": {"raw": [] if name == "subject" else None}})
    if isinstance(value, list):
        return {"arr": {}}
    if isinstance(value, dict):
        fields = {field: delta for field in SUBJECT_FIELDS if (delta := _raw_state_delta(field, value.get(field)))}
        subject = {"obj": {"ps": fields, "renamed": {"streetAddresses": "street_address"}}}
        return {"plu": {"i": subject}}
    return None
