import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.stacks import records, states
from infra.stacks.records import Record
from tests import daemon
from tests.certificates import Authority, Pair
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")
CA = Authority()
SERVER, CLIENT = CA.server("127.0.0.1"), CA.client()
NO_ONE = "192.0.2.7"  # RFC 5737: an address that nothing has
QUICK = 0.6
UNABLE = "Unable to query docker version: "
VERSION = "docker version --format '{{.Server.Version}}'"


def save(name: str, docker_port: int, ssh_port: int, **changes: object) -> Record:
    settings = {
        "address": "127.0.0.1",
        "docker_url": f"tcp://127.0.0.1:{docker_port}",
        "ssh_port": ssh_port,
        "ca_cert": CA.cert,
        "client_cert": CLIENT.cert,
        "client_key": CLIENT.key,
    }
    return records.save(outputs(name, **(settings | changes)), stack="prod", project="/project")


@contextmanager
def listening() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with listening() as port:
        return port


def judged(record: Record, timeout: float = 5) -> tuple[str, str, str]:
    state = states.probe(record, timeout)
    assert 0 <= state.milliseconds <= 2 * timeout * 1000
    return state.word, state.docker_version, state.error


def test_a_daemon_that_answers_is_running_with_its_version(tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        assert judged(save("web-1", port, closed_port())) == ("Running", "27.3.1", "")


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (Authority("another CA").server("127.0.0.1"), "unable to get local issuer certificate"),
        (CA.server("127.0.0.1", days=-1), "certificate has expired"),
    ],
)
def test_a_daemon_with_a_wrong_certificate_is_running_but_refused(tmp_path: Path, server: Pair, reason: str) -> None:
    with daemon.serve(CA, server, tmp_path) as port:
        word, version, error = judged(save("web-1", port, closed_port()))
    assert (word, version) == ("Running", "")
    assert error == f"Unable to query docker version: the server's certificate is refused: {reason}"


@pytest.mark.parametrize("pause", [0, 0.3], ids=["at once", "when the daemon is gone"])
def test_a_daemon_that_refuses_our_certificate_is_running_with_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pause: float
) -> None:
    send = ssl.SSLSocket.sendall

    def sendall(connection: ssl.SSLSocket, request: bytes) -> None:
        time.sleep(pause)  # as on a computer with much to do: the daemon has refused us before we ask
        send(connection, request)

    monkeypatch.setattr(ssl.SSLSocket, "sendall", sendall)
    stranger = Authority().client()  # of a CA of the same name, so that its signature is what is wrong
    with daemon.serve(CA, SERVER, tmp_path) as port:
        changes = {"client_cert": stranger.cert, "client_key": stranger.key}
        state = judged(save("web-1", port, closed_port(), **changes))
    assert state == ("Running", "", f"{UNABLE}the daemon refuses the connection: TLS alert decrypt error")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (503, "", "the daemon answered 503 Service Unavailable"),
        (200, "{}", "the daemon's answer has no version"),
        (200, "<html>", "Expecting value: line 1 column 1 (char 0)"),
    ],
)
def test_a_daemon_that_answers_nonsense_is_running_with_an_error(
    tmp_path: Path, status: int, body: str, reason: str
) -> None:
    with daemon.serve(CA, SERVER, tmp_path, status=status, body=body) as port:
        state = judged(save("web-1", port, closed_port()))
    assert state == ("Running", "", f"Unable to query docker version: {reason}")


@pytest.mark.parametrize(
    ("said", "reason"), [(b"", "the daemon hung up"), (b"220 mail ready\r\n", "the daemon's answer is not HTTP")]
)
def test_a_daemon_that_speaks_no_http_is_running_with_an_error(tmp_path: Path, said: bytes, reason: str) -> None:
    (tmp_path / "server.pem").write_text(SERVER.cert + SERVER.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")

    def answer(server: socket.socket) -> None:
        with server.accept()[0] as plain, context.wrap_socket(plain, server_side=True) as connection:
            connection.recv(4096)
            connection.sendall(said)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=answer, args=(server,))
        thread.start()
        state = judged(save("web-1", server.getsockname()[1], closed_port()))
        thread.join()
    assert state == ("Running", "", f"{UNABLE}{reason}")


def test_a_host_whose_ssh_answers_but_whose_docker_does_not_is_running() -> None:
    with listening() as ssh_port:
        state = judged(save("web-1", closed_port(), ssh_port))
    assert state == ("Running", "", "Unable to query docker version: connection refused")


def test_a_daemon_that_never_answers_is_given_up_in_time() -> None:
    with listening() as docker_port, listening() as ssh_port:
        state = judged(save("web-1", docker_port, ssh_port), QUICK)
    assert state == ("Running", "", "Unable to query docker version: no answer in time")


@pytest.mark.parametrize("running", [True, False])
def test_a_host_that_refuses_both_ports_is_stopped(*, running: bool) -> None:
    assert judged(save("web-1", closed_port(), closed_port(), running=running)) == ("Stopped", "", "")


def test_where_there_is_no_ssh_a_daemon_that_refuses_is_running_with_an_error() -> None:
    assert judged(save("web-1", closed_port(), 0)) == ("Running", "", f"{UNABLE}connection refused")
    assert judged(save("web-1", 2376, 0, docker_url=f"tcp://{NO_ONE}:2376"), QUICK)[0] == "Timeout"


@pytest.mark.parametrize(("running", "word"), [(True, "Timeout"), (False, "Stopped")])
def test_a_silent_host_is_stopped_only_where_it_is_declared_so(word: str, *, running: bool) -> None:
    record = save("web-1", 1, 22, address=NO_ONE, docker_url=f"tcp://{NO_ONE}:2376", running=running)
    found, version, error = judged(record, QUICK)
    assert (found, version) == (word, "")
    assert error.startswith("Unable to query docker version: ") == running


@pytest.mark.parametrize(
    ("ssh", "running", "state"),
    [
        ("echo 27.3.1", True, ("Running", "27.3.1", "")),
        ("echo motd >&2; echo no such command >&2; exit 127", True, ("Running", "", f"{UNABLE}no such command")),
        ("echo no route >&2; exit 255", True, ("Timeout", "", f"{UNABLE}no route")),
        ("echo no route >&2; exit 255", False, ("Stopped", "", "")),
        ("sleep 60", True, ("Timeout", "", f"{UNABLE}no answer in time")),
    ],
)
def test_a_machine_behind_a_bastion_is_asked_by_ssh_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: str, state: tuple[str, str, str], *, running: bool
) -> None:
    program = tmp_path / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nfor last; do :; done\n[ "$last" = "{VERSION}" ] || exit 64\nexec 3>&-\n{ssh}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    behind = {"ssh_proxy_jump": "me@bastion:22", "ssh_proxy_host_key": "ssh-ed25519 BASTION"}
    record = save("web-1", closed_port(), closed_port(), running=running, **behind)
    assert judged(record, QUICK) == state


def test_certificates_that_cannot_be_used_are_named() -> None:
    record = save("web-1", closed_port(), closed_port(), client_key="no key")
    word, version, error = judged(record)
    assert (word, version) == ("Error", "")
    assert error.startswith(f"the certificates in {record.folder} can't be used: ")


def test_a_name_that_no_one_knows_is_an_error() -> None:
    word, version, error = judged(save("web-1", 1, 22, docker_url="tcp://no-such-host.invalid:2376"))
    assert (word, version) == ("Error", "")
    assert error


def test_machines_of_one_stack_share_their_tls_settings_and_others_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    create = ssl.create_default_context

    def counted(*, cafile: str) -> ssl.SSLContext:
        made.append(cafile)
        return create(cafile=cafile)

    stranger = Authority("another CA")
    client = stranger.client()
    foreign = {"ca_cert": stranger.cert, "client_cert": client.cert, "client_key": client.key}
    with daemon.serve(CA, SERVER, tmp_path) as port:
        ours = [save(f"web-{number}", port, closed_port()) for number in range(20)]
        other = save("other", port, closed_port(), **foreign)
        monkeypatch.setattr(ssl, "create_default_context", counted)
        found = states.probe_all([*ours, other], 5)
    assert [state.docker_version for state in found] == ["27.3.1"] * 20 + [""]
    assert len(made) == 2


def test_many_are_asked_and_answer_in_order(tmp_path: Path) -> None:
    with daemon.serve(CA, SERVER, tmp_path) as port:
        up, down = save("up", port, closed_port()), save("down", closed_port(), closed_port())
        found = states.probe_all([up, down] * 40, 5)
    assert [state.word for state in found] == ["Running", "Stopped"] * 40
    assert states.probe_all([], 5) == []
