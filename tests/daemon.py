"""A Docker daemon's front door: TLS that wants a client certificate; behind it /_ping and /version, of any API."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.certificates import Authority, Pair


@contextmanager
def serve(ca: Authority, server: Pair, folder: Path, *, status: int = 200, body: str = "") -> Iterator[int]:
    """Serve until the block ends; give the port."""
    answer = (body or '{"Version": "27.3.1", "ApiVersion": "1.47"}').encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path.endswith(("/version", "/_ping")) else 404)
            self.send_header("Api-Version", "1.47")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Api-Version", "1.47")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return None

    (folder / "server.pem").write_text(server.cert + server.key)
    (folder / "clients.pem").write_text(ca.cert)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "clients.pem"))
    context.load_cert_chain(folder / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    front = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.handle_error = lambda *_: None  # type: ignore[method-assign]
    front.socket = context.wrap_socket(front.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=front.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield front.server_address[1]
    finally:
        front.shutdown()
        thread.join()
        front.server_close()
