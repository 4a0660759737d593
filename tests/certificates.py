"""An authority, and certificates that it signed, made on the spot: ECDSA P-256, good for two months."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

DAYS = 60  # mctl warns of what ends within 30


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, both PEM."""

    cert: str
    key: str


class Authority:
    def __init__(self, name: str = "mctl test CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        public = self._key.public_key()
        self._cert = (
            _builder(self._name, self._name, public)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.cert = _pem(self._cert)

    def server(self, *hosts: str, days: int = DAYS) -> Pair:
        """Make a server's certificate; negative days: one that has expired."""
        names: list[x509.GeneralName] = [
            x509.IPAddress(ip_address(h)) if h.replace(".", "").isdigit() else x509.DNSName(h) for h in hosts
        ]
        return self._leaf("server", ExtendedKeyUsageOID.SERVER_AUTH, names, days)

    def client(self) -> Pair:
        return self._leaf("client", ExtendedKeyUsageOID.CLIENT_AUTH, [], DAYS)

    def _leaf(self, name: str, usage: ObjectIdentifier, names: list[x509.GeneralName], days: int) -> Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key.public_key(), days)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        return Pair(_pem(builder.sign(self._key, hashes.SHA256())), pem.decode())


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, days: int = DAYS
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=9))
        .not_valid_after(now + timedelta(days=days))
    )


def _pem(cert: x509.Certificate) -> str:
    return cert.public_bytes(serialization.Encoding.PEM).decode()
