"""Check inputs: connection defaults, secret marks, and what is missing or unknown.

Source: https://www.pulumi.com/registry/packages/command/api-docs/remote/command/#connection
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from infra.plugins.server import CheckFailure, Operation
from infra.plugins.wire import UNKNOWN, Properties, is_secret, secret

CONNECTION_DEFAULTS: Properties = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}
CONNECTION_SECRETS = ("password", "privateKey", "privateKeyPassword")
ENDPOINT = (*CONNECTION_DEFAULTS, *CONNECTION_SECRETS, "host", "hostKey", "agentSocketPath")


def check_inputs(
    op: Operation, names: Collection[str], required: Collection[str] = ()
) -> tuple[Properties, list[CheckFailure]]:
    """Give the inputs with the connection's defaults filled in, and the failures by property."""
    failures = [CheckFailure(name, f"unknown property {name!r}") for name in op.news if name not in names]
    failures += [
        CheckFailure(name, f"missing required property {name!r}") for name in required if op.news.get(name) is None
    ]
    inputs = dict(op.news)
    if inputs.get("connection") is not None:
        inputs["connection"] = _connection(inputs["connection"], failures)
    return inputs, failures


def _connection(given: Any, failures: list[CheckFailure]) -> Any:
    value = given["value"] if is_secret(given) else given
    return secret(_endpoint("connection", value, failures, (*ENDPOINT, "proxy")))


def _endpoint(path: str, value: Any, failures: list[CheckFailure], names: Collection[str]) -> Any:
    if is_secret(value):
        return secret(_endpoint(path, value["value"], failures, names))
    if value == UNKNOWN:
        return value
    if not isinstance(value, dict):
        failures.append(CheckFailure(path, f"{path} is not an object"))
        return value
    # Only names go into a failure: a misspelt privateKey must not be printed.
    failures += [CheckFailure(f"{path}.{key}", f"{path} has no property {key!r}") for key in value if key not in names]
    if value.get("host") is None:
        failures.append(CheckFailure(f"{path}.host", f"missing required property 'host' of {path}"))
    checked = dict(value)
    for key, default in CONNECTION_DEFAULTS.items():
        if checked.get(key) is None:
            checked[key] = default
    for key in CONNECTION_SECRETS:
        if checked.get(key) is not None and not is_secret(checked[key]):
            checked[key] = secret(checked[key])
    if checked.get("proxy") is not None:
        checked["proxy"] = _endpoint(f"{path}.proxy", checked["proxy"], failures, ENDPOINT)
    return checked
