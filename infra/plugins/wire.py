"""Property values as they travel between the Pulumi engine and a plugin.

Properties are plain JSON-like dicts. A secret, an asset or an archive is a dict with a signature key; a value not yet
known in a preview is a fixed string. Whole numbers arrive as floats and leave `plain` as ints.
Source: https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/sig/sig.go
"""

from __future__ import annotations

from typing import Any

from google.protobuf import json_format, struct_pb2

Properties = dict[str, Any]

SIGNATURE = "4dabf18193072939515e22adb298388d"
SECRET = "1b47061264138c4ac30d75fd1eb44270"  # noqa: S105 - a type tag
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def secret(value: Any) -> Properties:
    """Mark a value as secret."""
    return {SIGNATURE: SECRET, "value": value}


def is_secret(value: Any) -> bool:
    """Tell whether a value is marked as secret at its top."""
    return isinstance(value, dict) and value.get(SIGNATURE) == SECRET


def plain(value: Any) -> Any:
    """Strip every secret mark from a value, however deep, and make whole floats ints."""
    if is_secret(value):
        return plain(value.get("value"))
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def has_unknown(value: Any) -> bool:
    """Tell whether a value is, or holds, something not yet known."""
    if isinstance(value, dict):
        return any(has_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(has_unknown(item) for item in value)
    return bool(value == UNKNOWN)


def from_struct(struct: struct_pb2.Struct) -> Properties:
    """Read a protobuf struct as properties, secret marks kept."""
    return {key: _ints(value) for key, value in json_format.MessageToDict(struct).items()}


def to_struct(properties: Properties) -> struct_pb2.Struct:
    """Write properties as a protobuf struct."""
    struct = struct_pb2.Struct()
    json_format.ParseDict(properties, struct)
    return struct


def _ints(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ints(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_ints(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
