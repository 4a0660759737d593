"""Which machine docker uses in this shell: docker's own rule, followed without starting docker.

$DOCKER_HOST counts first, then $DOCKER_CONTEXT, then the context of `docker context use`.
Source: https://docs.docker.com/engine/manage-resources/contexts/. Imports next to nothing: `active` is a read.
"""

from __future__ import annotations

import os

from infra.errors import NotFoundError, RecordError
from infra.stacks import records

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DEFAULT_CONTEXTS = ("", "default")


def machine() -> records.Record | None:
    """Give the record of the machine that docker uses."""
    url = docker_url()
    for name in records.names() if url else ():
        try:
            record = records.load(name)
        except (NotFoundError, RecordError):
            continue
        if is_at(record, url):
            return record
    return None


def is_at(record: records.Record, url: str) -> bool:
    """Tell whether a machine, switched on, has that URL."""
    return record.running and record.docker_url == url


def docker_url() -> str:
    """Give the URL that docker connects to; nothing where it is docker's default."""
    host = os.environ.get("DOCKER_HOST", "")
    if host:
        return host
    folder = os.environ.get("DOCKER_CONFIG") or os.path.join(os.path.expanduser("~"), ".docker")
    context = os.environ.get("DOCKER_CONTEXT") or _text(_json(os.path.join(folder, "config.json")), "currentContext")
    if context in DEFAULT_CONTEXTS:
        return ""
    from hashlib import sha256

    digest = sha256(context.encode()).hexdigest()
    return _text(_json(os.path.join(folder, "contexts", "meta", digest, "meta.json")), "Endpoints", "docker", "Host")


def _json(file: str) -> Any:
    import json

    try:
        with open(file, encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, ValueError):  # docker itself says what is wrong with it
        return None


def _text(value: Any, *keys: str) -> str:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""
