"""Commands over SSH, on a real sshd."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests import sshd
from tests.sshd import Sshd
from tests.unit.infra.plugins.command_calls import REMOTE, Engine, ask, connection, create, delete, gone, update
from tests.unit.infra.plugins.replay import CallError


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    accept = "AcceptEnv GREETING PULUMI_COMMAND_STDOUT PULUMI_COMMAND_STDERR"
    with sshd.running(tmp_path_factory.mktemp("sshd"), accept) as server:
        yield server


@pytest.fixture(autouse=True)
def no_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)


def run(server: Sshd, command: str, engine: Engine | None = None, timeout: float = 60, **inputs: Any) -> dict[str, Any]:
    return create(REMOTE, {"connection": connection(server), "create": command} | inputs, engine, timeout)


def test_a_line_of_a_megabyte_comes_through_whole(server: Sshd) -> None:
    engine = Engine()
    outputs = run(server, "head -c 1000000 /dev/zero | tr '\\0' x; echo; echo end", engine)
    assert outputs["stdout"] == "x" * 1_000_000 + "\nend"
    assert engine.lines == ["x" * 1_000_000, "end"]


def test_lines_reach_the_user_while_the_command_runs(server: Sshd, tmp_path: Path) -> None:
    go = tmp_path / "go"
    engine = Engine()
    engine.heard = lambda line: go.touch() if line == "first" else None
    outputs = run(server, f"echo first; until test -e {go}; do sleep 0.05; done; printf '50%%\\r100%%\\nlast'", engine)
    assert engine.lines == ["first", "50%", "100%", "last"]
    assert outputs["stdout"] == "first\n50%\r100%\nlast"


@pytest.mark.parametrize(
    ("logging", "lines"), [("stdout", ["out"]), ("stderr", ["err"]), ("stdoutAndStderr", ["err", "out"]), ("none", [])]
)
def test_logging_picks_the_streams_that_the_user_sees(server: Sshd, logging: str, lines: list[str]) -> None:
    engine = Engine()
    outputs = run(server, "echo out; echo err >&2", engine, logging=logging)
    assert sorted(engine.lines) == lines
    assert (outputs["stdout"], outputs["stderr"]) == ("out", "err")


def test_stdin_arrives_whole_and_may_be_left_unread(server: Sshd) -> None:
    text = "line é\n" * 50_000
    assert run(server, "sha256sum >/dev/null; echo read", stdin=text)["stdout"] == "read"
    assert run(server, "wc -c", stdin=text)["stdout"].strip() == str(len(text.encode()))
    assert run(server, "true", stdin=text)["stdout"] == ""


def test_without_stdin_a_command_reads_its_end_at_once(server: Sshd) -> None:
    assert run(server, "cat; echo end", timeout=10)["stdout"] == "end"


def test_environment_that_the_host_accepts_arrives(server: Sshd) -> None:
    assert run(server, 'echo "$GREETING"', environment={"GREETING": "hi there"})["stdout"] == "hi there"


def test_environment_that_the_host_drops_fails_and_says_what_to_do(server: Sshd) -> None:
    with pytest.raises(CallError, match=r"could not set environment variable OTHER: .*AcceptEnv.*VAR=value command"):
        run(server, "echo ran", environment={"GREETING": "hi", "OTHER": "x"})


def test_an_update_sees_what_the_command_before_it_printed(server: Sshd) -> None:
    command = 'echo "$PULUMI_COMMAND_STDOUT|$PULUMI_COMMAND_STDERR"'
    news = {"connection": connection(server), "create": "false", "update": command}
    olds = news | {"stdout": "before", "stderr": "warned"}
    assert update(REMOTE, olds, news)["stdout"] == "before|warned"
    assert update(REMOTE, olds, news | {"addPreviousOutputInEnv": False})["stdout"] == "|"
    assert update(REMOTE, olds | {"stdout": "x" * 300_000}, news)["stdout"] == "|warned"


def test_previous_output_that_the_host_drops_is_no_failure(tmp_path: Path) -> None:
    with sshd.running(tmp_path) as plain_server:
        news = {"connection": connection(plain_server), "create": 'echo "[$PULUMI_COMMAND_STDOUT]"'}
        assert update(REMOTE, news | {"stdout": "before", "stderr": ""}, news)["stdout"] == "[]"


def test_an_update_runs_update_or_else_create_or_keeps_the_outputs(server: Sshd) -> None:
    olds = {"connection": connection(server), "stdout": "kept", "stderr": ""}
    base = {"connection": connection(server)}
    assert update(REMOTE, olds, base | {"create": "echo c", "update": "echo u"})["stdout"] == "u"
    assert update(REMOTE, olds, base | {"create": "echo c"})["stdout"] == "c"
    assert update(REMOTE, olds, base | {"delete": "echo d"})["stdout"] == "kept"


def test_a_delete_runs_its_command_over_the_stored_connection(server: Sshd, tmp_path: Path) -> None:
    olds = {"connection": connection(server), "delete": f"touch {tmp_path}/deleted", "stdout": "", "stderr": ""}
    delete(REMOTE, olds)
    assert (tmp_path / "deleted").exists()


def test_a_cancel_kills_the_command_and_its_children_and_returns_quickly(server: Sshd, tmp_path: Path) -> None:
    pid = tmp_path / "pid"

    async def main() -> float:
        engine = Engine()
        started = asyncio.Event()
        engine.heard = lambda _line: started.set()
        servicer = engine.servicer()
        properties = {"connection": connection(server), "create": f"sleep 300 & echo $! >{pid}; echo started; wait"}
        creating = asyncio.create_task(ask(servicer, "Create", {"urn": REMOTE, "properties": properties}))
        await started.wait()
        before = time.monotonic()
        await servicer.Cancel(None, None)
        with pytest.raises(CallError) as raised:
            await creating
        assert raised.value.code == grpc.StatusCode.CANCELLED
        return time.monotonic() - before

    assert asyncio.run(main()) < 3
    assert gone(pid)


def test_a_cancel_ends_dialing_at_once(tmp_path: Path) -> None:
    async def main() -> float:
        engine = Engine()
        trying = asyncio.Event()
        engine.heard = lambda _line: trying.set()
        servicer = engine.servicer()
        dead = {"host": "127.0.0.1", "port": sshd.free_port(), "dialErrorLimit": -1}
        request = {"urn": REMOTE, "properties": {"connection": dead, "create": "true"}}
        creating = asyncio.create_task(ask(servicer, "Create", request))
        await trying.wait()
        before = time.monotonic()
        await servicer.Cancel(None, None)
        with pytest.raises(CallError):
            await creating
        return time.monotonic() - before

    assert asyncio.run(main()) < 1


def test_the_timeout_bounds_a_command_kills_it_and_shows_what_it_printed(server: Sshd, tmp_path: Path) -> None:
    before = time.monotonic()
    with pytest.raises(CallError, match=r'timed out after 1s: running "echo .*":\nbegun'):
        run(server, f"echo $$ >{tmp_path}/pid; echo begun; exec sleep 300", timeout=1)
    assert time.monotonic() - before < 4
    assert gone(tmp_path / "pid")


def test_a_command_that_ignores_the_request_to_end_is_killed(server: Sshd, tmp_path: Path) -> None:
    with pytest.raises(CallError, match="timed out after 1s"):
        run(server, f"trap '' TERM; echo $$ >{tmp_path}/pid; while :; do sleep 0.1; done", timeout=1)
    assert gone(tmp_path / "pid")


def test_no_connection_is_left_open(server: Sshd) -> None:
    run(server, "true")
    with pytest.raises(CallError):
        run(server, "exit 3")
    deadline = time.monotonic() + 5
    while server.open_sessions and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server.open_sessions == 0


def test_a_command_takes_one_connection(server: Sshd) -> None:
    before = server.accepted
    run(server, "true")
    assert server.accepted == before + 1


def test_a_command_killed_by_a_signal_says_so(server: Sshd) -> None:
    with pytest.raises(CallError, match=r"Process exited with status 137 from signal KILL: running"):
        run(server, "kill -9 $$")


def test_output_that_is_no_utf8_is_kept_readable(server: Sshd) -> None:
    assert run(server, r"printf 'a\377b'")["stdout"] == "a\ufffdb"


def test_a_host_that_stops_answering_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from infra.plugins.command import connection as dialing

    monkeypatch.setattr(dialing, "KEEPALIVE", 0.3)
    with sshd.running(tmp_path) as paused:
        engine = Engine()
        engine.heard = lambda _line: paused.pause()
        before = time.monotonic()
        with pytest.raises(CallError, match="the connection was lost"):
            run(paused, "echo started; sleep 300", engine)
        assert time.monotonic() - before < 15
