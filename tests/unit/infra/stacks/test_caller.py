"""Whom the firewall lets in where nobody is named."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator

import pytest

from infra.errors import PreCreateError
from infra.stacks import caller

Answer = Callable[[str], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answer]:
    """Have a service that answers with what it is told."""
    says: list[str] = []

    class Service(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(says[-1].encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
            return None

    with http.server.HTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(caller.VARIABLE, f"http://127.0.0.1:{server.server_port}")
        yield says.append
        server.shutdown()


@pytest.mark.parametrize(("said", "cidr"), [("203.0.113.7\n", "203.0.113.7/32"), ("2001:db8::7", "2001:db8::7/128")])
def test_the_address_that_a_service_tells_is_let_in_alone(answers: Answer, said: str, cidr: str) -> None:
    answers(said)
    assert caller.cidr("web") == cidr


def test_where_nobody_tells_it_the_user_is_asked_for_it(answers: Answer) -> None:
    answers("<html>who knows</html>")
    with pytest.raises(PreCreateError) as told:
        caller.cidr("web")
    assert told.value.message == "the firewall is to let in this computer, and nobody tells its public address"
    assert told.value.mend == "say who may connect: --allow-cidr CIDR"
