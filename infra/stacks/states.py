"""What state a machine is in right now, asked of the machine itself and of no provider.

Docker's port is asked first, over TLS with the record's certificates; where it does not answer, the SSH port tells a
host that is up from one that is off.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import NamedTuple
from urllib.parse import urlsplit

from infra.components.ssh_command import SSH_FAILED
from infra.stacks.records import Record

RUNNING, STOPPED, TIMEOUT, ERROR = "Running", "Stopped", "Timeout", "Error"
SECONDS = 10.0
DOCKER_SHARE = 0.7  # of the time; the rest is for the SSH port
WORKERS = 64  # threads that wait, not work
ANSWER_LIMIT = 1 << 20
HTTPS_PORT = 443
HUNG_UP = "the daemon hung up"
ALERT = re.compile(r"_ALERT_(\w+)")  # in OpenSSL's names of errors


class State(NamedTuple):
    """word: Running, Stopped, Timeout or Error. docker_version: empty where Docker did not answer; `error` says why."""

    word: str
    docker_version: str
    error: str
    milliseconds: int


def probe(record: Record, timeout: float = SECONDS) -> State:
    """Ask one machine, for `timeout` seconds at most."""
    return _probe(record, timeout, _Contexts())


def _probe(record: Record, timeout: float, contexts: _Contexts) -> State:
    began = time.monotonic()
    if not record.docker_url:  # off, and without an address until it is on
        return State(STOPPED, "", "", 0)
    try:
        word, version, error = RUNNING, _docker_version(record, timeout * DOCKER_SHARE, contexts), ""
    except (_LocalError, socket.gaierror) as failure:
        word, version, error = ERROR, "", _reason(failure)
    except (OSError, _AnswerError, ValueError) as failure:
        version, error = "", f"Unable to query docker version: {_reason(failure)}"
        left = began + timeout - time.monotonic()
        word = _host_state(record, failure, max(left, timeout * (1 - DOCKER_SHARE)))
    if word == STOPPED or (word == TIMEOUT and not record.running):
        word, error = STOPPED, ""
    return State(word, version, error, round((time.monotonic() - began) * 1000))


def probe_all(records: Sequence[Record], timeout: float = SECONDS) -> list[State]:
    """Ask many machines at once; the answers come in the order of the records."""
    if not records:
        return []
    contexts = _Contexts()
    with ThreadPoolExecutor(min(WORKERS, len(records))) as pool:
        return list(pool.map(lambda record: _probe(record, timeout, contexts), records))


class _LocalError(Exception):
    """The record's own certificates can't be used."""


class _AnswerError(Exception):
    """The daemon answered, and not as one does."""


def _docker_version(record: Record, timeout: float, contexts: _Contexts) -> str:
    """Ask the daemon for its version. https://docs.docker.com/reference/api/engine/ (SystemVersion)."""
    if record.ssh_proxy_jump:
        return _version_through_bastion(record, timeout)
    answer = json.loads(_get(record.docker_url, "/version", timeout, contexts.get(record.folder)))
    if not isinstance(answer, dict) or not isinstance(answer.get("Version"), str):
        raise _AnswerError("the daemon's answer has no version")
    return str(answer["Version"])


def _get(url: str, path: str, timeout: float, context: ssl.SSLContext) -> bytes:
    """Ask a daemon and give the body of its answer. Raises OSError, _AnswerError.

    http.client would take half as long again as the TLS handshake. HTTP/1.0 (RFC 1945) ends an answer with the
    connection, and has no chunks.
    """
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or HTTPS_PORT), timeout) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with context.wrap_socket(plain, server_hostname=address.hostname) as connection:
            # A TLS 1.3 daemon that refuses our certificate says so after the handshake, and may be gone when we write.
            with suppress(ConnectionError, ssl.SSLEOFError):
                connection.sendall(f"GET {path} HTTP/1.0\r\nHost: {address.netloc}\r\n\r\n".encode())
            said = b""
            while len(said) < ANSWER_LIMIT and (more := connection.recv(1 << 16)):
                said += more
    return _body(said)


def _body(said: bytes) -> bytes:
    head, _, body = said.partition(b"\r\n\r\n")
    protocol, _, status = head.decode("latin-1").partition("\r\n")[0].partition(" ")
    if not protocol:
        raise _AnswerError(HUNG_UP)
    if not protocol.startswith("HTTP/"):
        raise _AnswerError("the daemon's answer is not HTTP")
    if status.split(" ")[0] != "200":
        raise _AnswerError(f"the daemon answered {status}")
    return body


class _Contexts:
    """The TLS settings of each client certificate: the machines of a stack share theirs, and making it takes 2 ms."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: dict[tuple[bytes, ...], _Once] = {}

    def get(self, folder: str) -> ssl.SSLContext:
        """Give those of a record's folder. Raises _LocalError."""
        try:
            files = tuple(_content(f"{folder}/{name}.pem") for name in ("ca", "cert", "key"))
            with self._lock:
                once = self._made.setdefault(files, _Once())
            return once.get(folder)
        except OSError as error:  # ssl.SSLError is one
            raise _LocalError(f"the certificates in {folder} can't be used: {error.strerror or error}") from None


class _Once:
    """One TLS setting, made by the first thread that wants it while the others wait."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None

    def get(self, folder: str) -> ssl.SSLContext:
        with self._lock:
            if not self._context:
                context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
                context.load_cert_chain(f"{folder}/cert.pem", f"{folder}/key.pem")
                self._context = context
            return self._context


def _content(file: str) -> bytes:
    with open(file, "rb") as stream:
        return stream.read()


def _version_through_bastion(record: Record, timeout: float) -> str:
    """Ask on the host itself, for from here its Docker port need not be in reach."""
    import subprocess

    from infra.stacks.ssh import ssh_command

    command = [*ssh_command(record, {"BatchMode": "yes"}), "docker version --format '{{.Server.Version}}'"]
    try:
        asked = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=timeout, check=False
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    if asked.returncode:
        said = asked.stderr.strip().splitlines() or [f"exit code {asked.returncode}"]
        raise (OSError if asked.returncode == SSH_FAILED else _AnswerError)(said[-1].strip())
    return asked.stdout.strip()


def _host_state(record: Record, failure: Exception, timeout: float) -> str:
    """Tell a host that is up from one that is off. A host whose Docker port spoke at all is up."""
    if isinstance(failure, ssl.SSLError | _AnswerError | ValueError):
        return RUNNING
    if record.ssh_proxy_jump:
        return TIMEOUT
    if not record.ssh_port:  # only a daemon is known, and what refuses or cuts off a connection is up
        return RUNNING if isinstance(failure, ConnectionRefusedError | ConnectionResetError) else TIMEOUT
    try:
        socket.create_connection((record.address, record.ssh_port), timeout).close()
    except ConnectionRefusedError:
        return STOPPED
    except OSError:
        return RUNNING if isinstance(failure, ConnectionRefusedError | ConnectionResetError) else TIMEOUT
    return RUNNING


def _reason(failure: Exception) -> str:
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"the server's certificate is refused: {failure.verify_message}"
    if isinstance(failure, TimeoutError):
        return "no answer in time"
    if isinstance(failure, ssl.SSLEOFError):
        return HUNG_UP
    if isinstance(failure, ssl.SSLError) and (alert := ALERT.search(str(failure))):
        return f"the daemon refuses the connection: TLS alert {alert[1].lower().replace('_', ' ')}"
    if isinstance(failure, OSError) and failure.strerror:
        return failure.strerror[0].lower() + failure.strerror[1:]
    return str(failure) or type(failure).__name__
