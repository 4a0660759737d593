"""Many stand-in Docker daemons in one process: a port each, TLS for known clients, and /version behind it.

`python -m bench._daemons [--at JSON] FOLDER…`: each folder holds server.pem (certificate and key) and ca.pem; a daemon
is started for each, at a free port of 127.0.0.1, or at the ADDRESS:PORT in its place in the JSON list. Writes the ports
as a JSON list to stdout. For each line on stdin it writes how many of them were being asked at the same time at most
since the last, and how often they were asked in all.

One thread serves them all: they share the computer with what is measured, and must take little of it.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BODY = b'{"Version":"27.3.1","ApiVersion":"1.47"}'
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


class Daemons:
    """Serve until stdin ends."""

    def __init__(self, folders: list[Path], places: list[str]) -> None:
        self._peak = self._total = self._asking = 0
        self._selector = selectors.DefaultSelector()
        contexts = {folder: _context(folder) for folder in set(folders)}
        self.ports = []
        for folder, place in zip(folders, places, strict=True):
            host, _, port = place.rpartition(":")
            server = socket.create_server((host, int(port)))
            self._selector.register(server, selectors.EVENT_READ, (self._accept, contexts[folder]))
            self.ports.append(server.getsockname()[1])

    def run(self) -> None:
        self._selector.register(sys.stdin, selectors.EVENT_READ, (self._tell, None))
        while True:
            for key, _ in self._selector.select():
                react, what = key.data
                react(key.fileobj, what)

    def _accept(self, server: socket.socket, context: ssl.SSLContext) -> None:
        connection, _ = server.accept()
        connection.settimeout(0)
        self._total += 1
        self._asking += 1
        self._peak = max(self._peak, self._asking)
        wrapped = context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        self._selector.register(wrapped, selectors.EVENT_READ, (self._go_on, self._answer(wrapped)))

    def _go_on(self, connection: ssl.SSLSocket, answer: Iterator[None]) -> None:
        try:
            next(answer)
            return
        except StopIteration:
            pass
        except OSError as error:
            print(f"a stand-in daemon was not asked properly: {error}", file=sys.stderr)
        self._selector.unregister(connection)
        connection.close()

    def _answer(self, connection: ssl.SSLSocket) -> Iterator[None]:
        """Answer once; yields where the client must write first."""
        yield from _when_ready(connection.do_handshake)
        yield from _when_ready(lambda: connection.recv(4096))
        self._asking -= 1  # before the client can know, and ask the next
        connection.sendall(ANSWER)

    def _tell(self, *_: object) -> None:
        if not sys.stdin.readline():
            sys.exit()
        print(json.dumps([self._peak, self._total]), flush=True)
        self._peak = self._total = 0


def _when_ready(call: Callable[[], Any]) -> Iterator[None]:
    while True:
        try:
            call()
            return
        except ssl.SSLWantReadError:
            yield


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    return context


def main() -> None:
    given, *folders = sys.argv[2:] if sys.argv[1] == "--at" else ["", *sys.argv[1:]]
    places = json.loads(given) if given else ["127.0.0.1:0"] * len(folders)
    daemons = Daemons([Path(folder) for folder in folders], places)
    print(json.dumps(daemons.ports), flush=True)
    daemons.run()


if __name__ == "__main__":
    main()
