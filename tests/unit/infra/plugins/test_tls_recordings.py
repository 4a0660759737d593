"""Every call that the official plugin was recorded answering, answered by ours."""

from __future__ import annotations

import dataclasses
import re
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest

from infra.plugins.server import Servicer
from infra.plugins.tls.__main__ import PLUGIN
from infra.plugins.tls.certificate import LocallySignedCert, SelfSignedCert
from infra.plugins.wire import is_secret, plain
from tests.unit.infra.plugins.replay import CallError, answer, calls, label

CALLS = calls("calls-tls.jsonl")
ANSWERED = [call for call in CALLS if "errors" not in call]
FAILED = [call for call in CALLS if "errors" in call]
RANDOM = [
    (r"(-----BEGIN [A-Z0-9 ]+-----)\n[\s\S]+-----\n", r"\1"),
    (r"[0-9a-f]{40}", "a SHA-1"),
    (r"\d{30,40}", "a serial number"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z", "a time"),
    (r"[0-9a-f]{2}(:[0-9a-f]{2}){15}", "an MD5 fingerprint"),
    (r"SHA256:[A-Za-z0-9+/]{43}", "a SHA-256 fingerprint"),
    (r"(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/=]+\n", r"\1"),
]


def at_the_recordings_time() -> datetime:
    return datetime(2026, 11, 24, 5, 30, tzinfo=UTC)


@pytest.fixture(scope="module")
def servicer() -> Servicer:
    resources = {
        **PLUGIN.resources,
        "tls:index/selfSignedCert:SelfSignedCert": SelfSignedCert(at_the_recordings_time),
        "tls:index/locallySignedCert:LocallySignedCert": LocallySignedCert(at_the_recordings_time),
    }
    return Servicer(dataclasses.replace(PLUGIN, resources=resources), None)


def kind(value: Any) -> Any:
    """Replace what is random in an answer by what it is."""
    if isinstance(value, dict):
        return {name: kind(item) for name, item in value.items()}
    if isinstance(value, list):
        return [kind(item) for item in value]
    if isinstance(value, str):
        for pattern, name in RANDOM:
            if re.fullmatch(pattern, value):
                return re.sub(pattern, name, value)
    return value


def given(record: dict[str, Any]) -> dict[str, Any]:
    """The properties that a Create was given: they come back as they are, not just alike."""
    properties: dict[str, Any] = record["request"].get("properties", {})
    return properties


@pytest.mark.parametrize("record", ANSWERED, ids=label)
def test_an_answer_is_the_official_one(servicer: Servicer, record: dict[str, Any]) -> None:
    answered = answer(servicer, record["call"], record["request"])
    official = record["response"]
    if record["call"] != "Create":
        assert answered == official
        return
    assert kind(answered) == kind(official)
    outputs = plain(answered["properties"])
    assert {name: outputs[name] for name in given(record)} == given(record)
    assert answered.get("id", outputs["id"]) == outputs["id"]


@pytest.mark.parametrize("record", FAILED, ids=label)
def test_a_failure_has_the_official_status_and_text(servicer: Servicer, record: dict[str, Any]) -> None:
    with pytest.raises(CallError) as failure:
        answer(servicer, record["call"], record["request"])
    assert failure.value.code is grpc.StatusCode.UNKNOWN
    assert [f"rpc error: code = Unknown desc = {failure.value.details}"] == record["errors"]


def test_every_key_in_an_answer_is_secret(servicer: Servicer) -> None:
    leaks = []

    def walk(value: Any, where: str) -> None:
        if is_secret(value):
            return
        if isinstance(value, dict):
            for name, item in value.items():
                walk(item, f"{where}.{name}")
        elif isinstance(value, str) and "PRIVATE KEY" in value:
            leaks.append(where)

    for record in ANSWERED:
        walk(answer(servicer, record["call"], record["request"]), label(record))
    assert leaks == []
