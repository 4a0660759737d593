"""Commands on this computer, and the files that they leave."""

from __future__ import annotations

import asyncio
import hashlib
import time
from pathlib import Path

import grpc
import pytest

from infra.plugins.command.__main__ import PLUGIN
from infra.plugins.command.assets import compile_glob
from infra.plugins.command.output import quote
from infra.plugins.server import Servicer
from infra.plugins.wire import ARCHIVE, ASSET, SIGNATURE, is_secret, secret
from tests.unit.infra.plugins.command_calls import LOCAL, Engine, ask, create, delete, gone, update
from tests.unit.infra.plugins.replay import CallError, answer


def test_a_line_of_a_megabyte_comes_through_whole() -> None:
    engine = Engine()
    outputs = create(LOCAL, {"create": "head -c 1000000 /dev/zero | tr '\\0' x"}, engine)
    assert outputs["stdout"] == "x" * 1_000_000
    assert engine.lines == ["x" * 1_000_000]


def test_lines_reach_the_user_while_the_command_runs(tmp_path: Path) -> None:
    go = tmp_path / "go"
    engine = Engine()
    engine.heard = lambda _line: go.touch()
    create(LOCAL, {"create": f"echo first; until test -e {go}; do sleep 0.05; done; echo last"}, engine, 10)
    assert engine.lines == ["first", "last"]


def test_stdin_environment_dir_and_interpreter_reach_the_command(tmp_path: Path) -> None:
    inputs = {
        "create": "read line; echo $line $GREETING $PWD ${BASH_VERSION:+bash}",
        "stdin": "in\n" + "x" * 500_000,
        "environment": {"GREETING": "hi"},
        "dir": str(tmp_path),
        "interpreter": ["/bin/bash", "-c"],
    }
    assert create(LOCAL, inputs)["stdout"] == f"in hi {tmp_path} bash"


def test_what_can_not_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(CallError, match=r'chdir /nowhere: no such file or directory: running "true":'):
        create(LOCAL, {"create": "true", "dir": "/nowhere"})
    with pytest.raises(CallError, match=r'exec: "no-such-shell": executable file not found in \$PATH'):
        create(LOCAL, {"create": "true", "interpreter": ["no-such-shell"]})
    with pytest.raises(CallError, match="signal: killed: running"):
        create(LOCAL, {"create": "kill -9 $$"})


def test_an_update_sees_previous_output_unless_told_not_to_or_too_long() -> None:
    news = {"create": 'echo "${PULUMI_COMMAND_STDOUT-none} ${PULUMI_COMMAND_STDERR-none}"'}
    olds = news | {"stdout": "before", "stderr": ""}
    assert update(LOCAL, olds, news)["stdout"] == "before none"
    assert update(LOCAL, olds, news | {"addPreviousOutputInEnv": False})["stdout"] == "none none"
    assert update(LOCAL, olds | {"stdout": "x" * 200_000}, news)["stdout"] == "none none"


def test_a_delete_runs_its_command(tmp_path: Path) -> None:
    delete(LOCAL, {"delete": "touch gone", "dir": str(tmp_path), "stdout": "", "stderr": ""})
    assert (tmp_path / "gone").exists()


def test_a_daemon_that_keeps_the_pipes_open_does_not_hold_up_the_command() -> None:
    before = time.monotonic()
    assert create(LOCAL, {"create": "sleep 20 & echo started"})["stdout"] == "started"
    assert time.monotonic() - before < 10


def test_the_timeout_kills_the_command_and_its_children(tmp_path: Path) -> None:
    before = time.monotonic()
    with pytest.raises(CallError, match="timed out after 1s: running"):
        create(LOCAL, {"create": f"sleep 300 & echo $! >{tmp_path}/pid; wait"}, timeout=1)
    assert time.monotonic() - before < 5
    assert gone(tmp_path / "pid")


def test_a_cancel_kills_the_command(tmp_path: Path) -> None:
    async def main() -> None:
        engine = Engine()
        started = asyncio.Event()
        engine.heard = lambda _line: started.set()
        servicer = engine.servicer()
        properties = {"create": f"echo $$ >{tmp_path}/pid; echo started; exec sleep 300"}
        creating = asyncio.create_task(ask(servicer, "Create", {"urn": LOCAL, "properties": properties}))
        await started.wait()
        await asyncio.wait_for(servicer.Cancel(None, None), 3)
        with pytest.raises(CallError) as raised:
            await creating
        assert raised.value.code == grpc.StatusCode.CANCELLED

    asyncio.run(main())
    assert gone(tmp_path / "pid")


def test_files_come_back_as_assets_and_as_one_archive(tmp_path: Path) -> None:
    command = "mkdir -p a/b; echo one >a/one.js; echo two >a/b/two.js; echo s >a/secret.js; echo x >x.md"
    inputs = {"create": command, "dir": str(tmp_path), "assetPaths": ["a/**", "!**secret.*"], "archivePaths": ["*.md"]}
    outputs = create(LOCAL, inputs)
    assert set(outputs["assets"]) == {"a/one.js", "a/b/two.js"}
    digest = hashlib.sha256(b"one\n").hexdigest()
    assert outputs["assets"]["a/one.js"] == {SIGNATURE: ASSET, "hash": digest, "path": f"{tmp_path}/a/one.js"}
    assert outputs["archive"][SIGNATURE] == ARCHIVE
    assert list(outputs["archive"]["assets"]) == ["x.md"]


@pytest.mark.parametrize(
    ("glob", "matching", "other"),
    [
        ("*.txt", "a.txt", "b/a.txt"),
        ("**.txt", "b/a.txt", "a.md"),
        ("src/?.{js,ts}", "src/a.ts", "src/ab.ts"),
        ("[ab]", "a", "c"),
        ("[!ab]", "c", "a"),
        (r"\*", "*", "a"),
        ("a,b", "a,b", "a"),
    ],
)
def test_a_glob_matches_as_officially(glob: str, matching: str, other: str) -> None:
    assert compile_glob(glob).fullmatch(matching)
    assert not compile_glob(glob).fullmatch(other)


def test_run_gives_the_arguments_and_outputs_and_keeps_secrets_secret() -> None:
    servicer = Servicer(PLUGIN, None)
    request = {"tok": "command:local:run", "args": {"command": "echo $WORD", "environment": {"WORD": "hi"}}}
    assert answer(servicer, "Invoke", request)["return"] == request["args"] | {"stdout": "hi", "stderr": ""}  # type: ignore[operator]
    request["args"] = {"command": "echo $WORD", "environment": secret({"WORD": "hi"})}
    assert is_secret(answer(servicer, "Invoke", request)["return"]["stdout"])


def test_a_command_is_quoted_as_go_does() -> None:
    assert quote('echo "a\\b"\n\té\x07\x1b\x7f\u2028') == r'"echo \"a\\b\"\n\té\a\x1b\x7f\u2028"'
