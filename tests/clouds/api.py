"""A provider's API over HTTP, for the vendor's own SDK: routes to functions, on loopback."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from tests.certificates import Authority
from tests.clouds.world import World

CA = "ca.pem"


class Request(NamedTuple):
    """One call. parts: what the route's groups matched."""

    parts: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any


class Answer(Exception):  # noqa: N818 - it is an answer
    """Answer with another status than 200."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status)
        self.status, self.body, self.headers = status, body, headers or {}


Route = Callable[[World, Request], Any]


@contextmanager
def serve(world: World, routes: Mapping[str, Route], guard: Route | None = None) -> Iterator[str]:
    """Serve routes (`GET /v2/things/(\\d+)`) and give the address; guard: refuses calls without credentials."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            address = urlsplit(self.path)
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            world.count(f"{self.command} {address.path}")
            status, body, headers = self.found(f"{self.command} {address.path}", dict(parse_qsl(address.query)), raw)
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def found(self, call: str, query: dict[str, str], raw: bytes) -> tuple[int, Any, Mapping[str, str]]:
            kind = self.headers.get("Content-Type") or ""
            sent = json.loads(raw) if raw and "json" in kind else dict(parse_qsl(raw.decode())) if raw else None
            for pattern, route in routes.items():
                if match := re.fullmatch(pattern, call):
                    request = Request(match.groups(), query, dict(self.headers), sent)
                    try:
                        if guard:
                            guard(world, request)
                        body = route(world, request)
                    except Answer as answer:
                        return answer.status, answer.body, answer.headers
                    return (204 if body is None else 200), body, {}
            return 404, {"message": f"no such call: {call}"}, {}

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the library's name
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = _tls(world).wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def _tls(world: World) -> ssl.SSLContext:
    authority = Authority()
    pair = authority.server("127.0.0.1")
    (world.folder / CA).write_text(authority.cert)
    (world.folder / "api.pem").write_text(pair.cert + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.folder / "api.pem")
    return context
