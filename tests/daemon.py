"""A Docker daemon's front door: TLS that wants a client certificate; behind it /_ping and /version, of any API."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.UTC)
LOOPBACK = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


class Pair(NamedTuple):
    """A certificate and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def cert_pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def authority() -> Pair:
    """Make a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder("ca", "ca", key, days=1).add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
    return Pair(builder.sign(key, hashes.SHA256()), key)


def leaf(ca: Pair, name: str, *, days: int = 1) -> Pair:
    """Make a certificate for 127.0.0.1 and for clients; negative days: one that has expired."""
    key = ec.generate_private_key(ec.SECP256R1())
    uses = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = (
        _builder(name, "ca", key, days=days)
        .add_extension(x509.SubjectAlternativeName([LOOPBACK]), critical=False)
        .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca.key.public_key()), critical=False)
    )
    return Pair(builder.sign(ca.key, hashes.SHA256()), key)


@contextmanager
def serve(ca: Pair, server: Pair, folder: Path, *, status: int = 200, body: str = "") -> Iterator[int]:
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

    (folder / "server.pem").write_text(server.cert_pem + server.key_pem)
    (folder / "clients.pem").write_text(ca.cert_pem)
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


def _builder(name: str, issuer: str, key: ec.EllipticCurvePrivateKey, *, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - datetime.timedelta(days=9))
        .not_valid_after(NOW + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
