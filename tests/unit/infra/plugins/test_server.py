"""The plugin server, in process with real messages and as a process with real gRPC."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, json_format
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra.plugins.server import CheckFailure, Diff, Operation, Plugin, PluginError, Resource, Servicer, diff_response
from infra.plugins.wire import Properties, secret, to_struct
from tests.unit.infra.plugins.replay import CallError, Context, answer, calls, message

TOKEN = "test:index:Thing"
URN = f"urn:pulumi:dev::test::mctl:infra:Machine${TOKEN}::thing"
REPOSITORY = Path(__file__).parents[4]


class Thing(Resource):
    """Record what it is asked and answer something of each kind."""

    def __init__(self) -> None:
        self.asked: list[Operation] = []
        self.cleaned = False

    def check(self, op: Operation) -> tuple[Properties, list[CheckFailure]]:
        self.asked.append(op)
        return {**op.news, "size": op.news.get("size", 1)}, [CheckFailure("size", "too big")]

    def diff(self, op: Operation) -> Diff:
        self.asked.append(op)
        return Diff(diffs=("size",), replaces=("size",), detailed={"size": provider_pb2.PropertyDiff.UPDATE_REPLACE})

    async def create(self, op: Operation) -> tuple[str, Properties]:
        self.asked.append(op)
        if op.news.get("fail") == "plugin":
            raise PluginError("no room on the disk")
        if op.news.get("fail") == "bug":
            raise KeyError("size")
        if op.news.get("wait"):
            try:
                await asyncio.sleep(60)
            finally:
                self.cleaned = True
        return "id-1", {**op.news, "password": secret("s3cret")}

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        self.asked.append(op)
        return None if op.id == "gone" else (op.olds, op.old_inputs)

    async def update(self, op: Operation) -> Properties:
        self.asked.append(op)
        return op.news

    async def delete(self, op: Operation) -> None:
        self.asked.append(op)


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture
def servicer(thing: Thing) -> Servicer:
    async def double(arguments: Properties) -> Properties:
        return {"doubled": arguments["number"] * 2}

    return Servicer(
        Plugin(
            version="1.2.3",
            resources={TOKEN: thing},
            configure={"supportsPreview": True},
            provider_inputs={"library": "v1"},
            invokes={"test:index:double": double},
        ),
        None,
    )


def test_check_answers_inputs_and_failures(servicer: Servicer, thing: Thing) -> None:
    answered = answer(servicer, "Check", {"urn": URN, "olds": {"size": 2}, "news": {"name": "a"}})
    assert answered == {
        "inputs": {"name": "a", "size": 1.0},
        "failures": [{"property": "size", "reason": "too big"}],
    }
    assert thing.asked[0].name == "thing"
    assert thing.asked[0].old_inputs == {"size": 2}


def test_diff_hands_over_state_old_inputs_and_ignored_changes(servicer: Servicer, thing: Thing) -> None:
    request = {
        "urn": URN, "id": "id-1", "olds": {"size": 1, "made": "x"}, "oldInputs": {"size": 1}, "news": {"size": 2},
        "ignoreChanges": ["name"],
    }  # fmt: skip
    answered = answer(servicer, "Diff", request)
    assert answered == {
        "changes": "DIFF_SOME",
        "diffs": ["size"],
        "replaces": ["size"],
        "detailedDiff": {"size": {"kind": "UPDATE_REPLACE"}},
        "hasDetailedDiff": True,
    }
    (op,) = thing.asked
    assert (op.id, op.olds, op.old_inputs, op.news) == ("id-1", {"size": 1, "made": "x"}, {"size": 1}, {"size": 2})
    assert op.ignore_changes == ("name",)


@pytest.mark.parametrize(
    ("diff", "answered"),
    [
        (Diff(), {"changes": "DIFF_NONE"}),
        (Diff(diffs=("a",)), {"changes": "DIFF_SOME", "diffs": ["a"]}),
        (Diff(changes=True), {"changes": "DIFF_SOME"}),
        (Diff(detailed={}), {"changes": "DIFF_NONE", "hasDetailedDiff": True}),
        (
            Diff(replaces=("a",), delete_before_replace=True, stables=("b",)),
            {"changes": "DIFF_SOME", "replaces": ["a"], "deleteBeforeReplace": True, "stables": ["b"]},
        ),
    ],
)
def test_a_diff_is_written_without_anything_that_it_does_not_say(diff: Diff, answered: dict[str, Any]) -> None:
    assert json_format.MessageToDict(diff_response(diff)) == answered


def test_create_answers_id_and_marked_outputs(servicer: Servicer, thing: Thing) -> None:
    answered = answer(servicer, "Create", {"urn": URN, "properties": {"size": 2}, "preview": True, "timeout": 5})
    assert answered == {"id": "id-1", "properties": {"size": 2.0, "password": secret("s3cret")}}
    assert (thing.asked[0].preview, thing.asked[0].timeout) == (True, 5)


def test_a_resource_that_is_gone_reads_as_nothing(servicer: Servicer) -> None:
    assert answer(servicer, "Read", {"urn": URN, "id": "gone"}) == {}
    request = {"urn": URN, "id": "here", "properties": {"size": 2}, "inputs": {"size": 1}}
    assert answer(servicer, "Read", request) == {"id": "here", "properties": {"size": 2.0}, "inputs": {"size": 1.0}}


def test_update_and_delete_know_the_old_inputs(servicer: Servicer, thing: Thing) -> None:
    request = {"urn": URN, "id": "id-1", "olds": {"size": 1}, "news": {"size": 2}, "oldInputs": {"size": 1}}
    assert answer(servicer, "Update", request) == {"properties": {"size": 2.0}}
    answer(servicer, "Delete", {"urn": URN, "id": "id-1", "properties": {"size": 2}, "oldInputs": {"size": 9}})
    assert [op.old_inputs for op in thing.asked] == [{"size": 1}, {"size": 9}]


@pytest.mark.parametrize(
    ("call", "request_", "code", "text"),
    [
        ("Create", {"urn": URN, "properties": {"fail": "plugin"}}, grpc.StatusCode.UNKNOWN, "no room on the disk"),
        ("Create", {"urn": URN, "properties": {"fail": "bug"}}, grpc.StatusCode.INTERNAL, "KeyError: 'size'"),
        ("Check", {"urn": URN.replace("Thing", "Other")}, grpc.StatusCode.UNKNOWN, "no resource test:index:Other"),
        ("Invoke", {"tok": "test:index:triple"}, grpc.StatusCode.UNKNOWN, "no function test:index:triple"),
    ],
)
def test_a_failure_is_one_message_without_a_traceback(
    servicer: Servicer, call: str, request_: dict[str, Any], code: grpc.StatusCode, text: str
) -> None:
    with pytest.raises(CallError) as failure:
        answer(servicer, call, request_)
    assert failure.value.code is code
    assert text in failure.value.details
    assert "\n" not in failure.value.details


def test_the_providers_own_inputs_pass_with_what_the_plugin_adds(servicer: Servicer) -> None:
    answered = answer(servicer, "CheckConfig", {"news": {"version": "1.2.3"}})
    assert answered == {"inputs": {"version": "1.2.3", "library": "v1"}}
    assert answer(servicer, "DiffConfig", {"olds": {"version": "1.2.2"}, "news": {"version": "1.2.3"}}) == {}


def test_invoke_answers_what_the_function_returns(servicer: Servicer) -> None:
    assert answer(servicer, "Invoke", {"tok": "test:index:double", "args": {"number": 21}}) == {
        "return": {"doubled": 42.0}
    }


def test_cancel_stops_what_runs_and_waits_for_its_clean_up(servicer: Servicer, thing: Thing) -> None:
    async def scenario() -> grpc.StatusCode:
        request = message("Create", {"urn": URN, "properties": {"wait": True}})
        running = asyncio.ensure_future(servicer.Create(request, Context()))
        await asyncio.sleep(0.05)
        await servicer.Cancel(empty_pb2.Empty(), Context())
        assert thing.cleaned
        with pytest.raises(CallError) as failure:
            await running
        return failure.value.code

    assert asyncio.run(scenario()) is grpc.StatusCode.CANCELLED


def test_where_engines_share_a_plugin_one_that_cancels_stops_no_other(thing: Thing) -> None:
    async def scenario() -> None:
        shared = Servicer(Plugin(version="1.2.3", resources={TOKEN: thing}, configure={}), None, shared=True)
        await shared.Cancel(empty_pb2.Empty(), Context())
        assert list((await shared.Diff(message("Diff", {"urn": URN, "id": "id-1"}), Context())).replaces) == ["size"]

    asyncio.run(scenario())


def test_an_operation_that_was_under_way_to_here_when_the_engine_cancelled_is_not_begun(
    servicer: Servicer, thing: Thing
) -> None:
    async def scenario() -> grpc.StatusCode:
        await servicer.Cancel(empty_pb2.Empty(), Context())
        with pytest.raises(CallError) as failure:
            await servicer.Create(message("Create", {"urn": URN, "properties": {"wait": True}}), Context())
        return failure.value.code

    assert asyncio.run(scenario()) is grpc.StatusCode.CANCELLED
    assert thing.asked == []


@pytest.fixture
def process() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The tls plugin as the engine starts it: an address as its argument, its port on its standard output."""
    started = subprocess.Popen(
        [sys.executable, "-m", "infra.plugins.tls", "127.0.0.1:1", "--logtostderr"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    try:
        assert started.stdout is not None
        yield started, f"127.0.0.1:{int(started.stdout.readline())}"
    finally:
        started.kill()
        started.wait()


def test_a_plugin_process_answers_grpc_like_the_servicer(process: tuple[subprocess.Popen[str], str]) -> None:
    with grpc.insecure_channel(process[1]) as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        assert stub.GetPluginInfo(empty_pb2.Empty(), timeout=20).version == "5.6.2"
        for record in [call for call in calls("calls-tls.jsonl") if call["call"] in ("Configure", "Check", "Read")][
            :20
        ]:
            response = getattr(stub, record["call"])(message(record["call"], record["request"]), timeout=20)
            assert json_format.MessageToDict(response) == record["response"]
        urn = "urn:pulumi:dev::test::tls:index/certRequest:CertRequest::bad"
        with pytest.raises(grpc.RpcError) as failure:
            stub.Create(provider_pb2.CreateRequest(urn=urn, properties=to_struct({"privateKeyPem": "x"})), timeout=20)
        assert failure.value.code() is grpc.StatusCode.UNKNOWN
        assert "Failed to parse private key PEM" in str(failure.value.details())


def test_a_message_of_many_megabytes_passes(process: tuple[subprocess.Popen[str], str]) -> None:
    options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(process[1], options=options) as channel:
        stub: Any = provider_pb2_grpc.ResourceProviderStub(channel)
        news = to_struct({"algorithm": "RSA", "note": "x" * 8_000_000})
        urn = "urn:pulumi:dev::test::tls:index/privateKey:PrivateKey::big"
        response = stub.Check(provider_pb2.CheckRequest(urn=urn, news=news), timeout=60)
        assert len(response.inputs["note"]) == 8_000_000


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_of_the_engine_ends_a_plugin(
    process: tuple[subprocess.Popen[str], str], number: signal.Signals
) -> None:
    process[0].send_signal(number)
    assert process[0].wait(timeout=20) == 0


def test_a_plugin_ends_when_its_engine_was_killed() -> None:
    engine = subprocess.Popen(
        ["sh", "-c", f'"{sys.executable}" -m infra.plugins.tls; true'],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert engine.stdout is not None
    assert int(engine.stdout.readline()) > 0
    engine.kill()
    engine.wait()
    assert engine.stdout.read() == ""  # comes back once the plugin, too, has closed its end
