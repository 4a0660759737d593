"""Every call that the official plugin was recorded answering, answered by ours; commands run on a real sshd."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from infra.plugins.command.__main__ import PLUGIN
from infra.plugins.server import Servicer
from tests import sshd
from tests.unit.infra.plugins.replay import CallError, answer, calls, label

CALLS = calls("calls-command.jsonl")
# Without a host or a local program: these are answered exactly.
STATIC = ("Check", "Diff", "Read")
RUNNING = ("Create", "Update", "Delete")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Sshd]:
    with sshd.running(tmp_path_factory.mktemp("sshd")) as server:
        yield server


@pytest.fixture
def servicer() -> Servicer:
    return Servicer(PLUGIN, None)


def of(*names: str, preview: bool = False, failed: bool = False) -> list[dict[str, Any]]:
    return [
        call
        for call in CALLS
        if call["call"] in names and bool(call["request"].get("preview")) == preview and ("errors" in call) == failed
    ]


def on(server: sshd.Sshd, folder: Path, value: Any) -> Any:
    """Point recorded properties at the test's server and folder."""
    text = json.dumps(value)
    for recorded, ours in {
        '"the-private-key"': json.dumps(server.private_key),
        "172.17.0.2": server.host,
        '"port": 22': f'"port": {server.port}',
        '"port": 2,': f'"port": {sshd.free_port()},',
        "/root/copied": str(folder / "copied"),
        '"user": "root"': f'"user": "{server.user}"',
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIArkJ3ktNSwXwg1owSTU570taShnvz6icYBwe1RuCA3l": server.host_key,
    }.items():
        text = text.replace(recorded, ours)
    return json.loads(text)


def without_id_digits(answered: dict[str, Any]) -> dict[str, Any]:
    return answered | {"id": re.sub(r"[0-9a-f]{8}$", "8 digits", answered.get("id", ""))}


@pytest.mark.parametrize("record", of(*STATIC), ids=label)
def test_an_answer_is_the_official_one(servicer: Servicer, record: dict[str, Any]) -> None:
    assert answer(servicer, record["call"], record["request"]) == record["response"]


@pytest.mark.parametrize("record", of(*RUNNING, preview=True), ids=label)
def test_a_preview_is_the_official_one(servicer: Servicer, record: dict[str, Any]) -> None:
    answered = answer(servicer, record["call"], record["request"])
    assert without_id_digits(answered) == without_id_digits(record["response"])


@pytest.mark.parametrize("record", of(*RUNNING), ids=label)
def test_a_command_run_for_real_answers_as_officially(
    servicer: Servicer, record: dict[str, Any], server: sshd.Sshd, tmp_path: Path
) -> None:
    answered = answer(servicer, record["call"], on(server, tmp_path, record["request"]))
    assert without_id_digits(answered) == without_id_digits(on(server, tmp_path, record["response"]))


@pytest.mark.parametrize("record", of("Create", failed=True), ids=label)
def test_a_failure_has_the_official_status_and_text(
    servicer: Servicer, record: dict[str, Any], server: sshd.Sshd, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    # The order in which the two streams arrive is chance.
    with_password = () if "wrongauth" not in record["step"] else ("PasswordAuthentication yes",)
    with sshd.running(tmp_path / "other", *with_password) as other:
        server = other if with_password else server
        with pytest.raises(CallError) as raised:
            answer(servicer, "Create", on(server, tmp_path, record["request"]))
    assert raised.value.code == grpc.StatusCode.UNKNOWN
    official = record["errors"][0].removeprefix("rpc error: code = Unknown desc = ")
    assert lines(raised.value.details) == lines(official.replace("172.17.0.2:2:", "host:port:"))


def lines(text: str) -> list[str]:
    return sorted(re.sub(r"127\.0\.0\.1:\d+:", "host:port:", text).splitlines())


def test_configure_answers_as_officially_but_takes_no_output_values(servicer: Servicer) -> None:
    (record,) = [call for call in CALLS if call["step"] == "01-create" and call["call"] == "Configure"]
    official = {key: value for key, value in record["response"].items() if key != "acceptOutputs"}
    assert answer(servicer, "Configure", record["request"]) == official


def test_the_version_is_the_official_one() -> None:
    (record,) = [call for call in CALLS if call["call"] == "GetPluginInfo"]
    assert PLUGIN.version == record["response"]["version"]
    assert asyncio.run(Servicer(PLUGIN, None).GetPluginInfo(None, None)).version == "1.2.1"
