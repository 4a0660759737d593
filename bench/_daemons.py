"""Many stand-in Docker daemons in one process: a port each, TLS for known clients, and /version behind it.

`python -m bench._daemons FOLDER…`: each folder holds server.pem (certificate and key) and ca.pem; a daemon is started
for each. Writes the ports as a JSON list to stdout. For each line on stdin it writes how many of them were being asked
at the same time at most since the last, and how often they were asked in all.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BODY = b'{"Version":"27.3.1","ApiVersion":"1.47"}'
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
THREADS = 16
SECONDS = 30


class Daemons:
    """Serve until the process ends."""

    def __init__(self, folders: list[Path]) -> None:
        self.peak = self.total = self._asking = 0
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._pool = ThreadPoolExecutor(THREADS)
        contexts = {folder: _context(folder) for folder in set(folders)}
        self.ports = []
        for folder in folders:
            server = socket.create_server(("127.0.0.1", 0))
            server.settimeout(0)
            self._selector.register(server, selectors.EVENT_READ, contexts[folder])
            self.ports.append(server.getsockname()[1])

    def run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                connection, _ = key.fileobj.accept()  # type: ignore[union-attr]
                with self._lock:
                    self.total += 1
                    self._asking += 1
                    self.peak = max(self.peak, self._asking)
                self._pool.submit(self._answer, connection, key.data)

    def _answer(self, connection: socket.socket, context: ssl.SSLContext) -> None:
        connection.settimeout(SECONDS)
        try:
            with context.wrap_socket(connection, server_side=True) as wrapped:
                wrapped.recv(4096)
                with self._lock:
                    self._asking -= 1  # before the client can know, and ask the next
                wrapped.sendall(ANSWER)
        except OSError as error:
            print(f"a stand-in daemon was not asked properly: {error}", file=sys.stderr)


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(folder / "ca.pem"))
    context.load_cert_chain(folder / "server.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = 0
    return context


def main() -> None:
    daemons = Daemons([Path(folder) for folder in sys.argv[1:]])
    threading.Thread(target=daemons.run, daemon=True).start()
    print(json.dumps(daemons.ports), flush=True)
    for _ in sys.stdin:
        print(json.dumps([daemons.peak, daemons.total]), flush=True)
        daemons.peak = daemons.total = 0


if __name__ == "__main__":
    main()
