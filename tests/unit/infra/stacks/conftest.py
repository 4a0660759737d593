"""What the tests of this folder share."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator

import pytest

from infra.stacks import downloads


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the download site answer."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(downloads, "SITE", f"http://127.0.0.1:{server.server_port}/install.sh")
    yield
    server.shutdown()
    server.server_close()
