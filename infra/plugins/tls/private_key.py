"""PrivateKey: an RSA, ECDSA or Ed25519 key in every format that its users want."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from infra.plugins.server import PluginError
from infra.plugins.tls.public_key import Key, public_key_outputs, supports_openssh
from infra.plugins.tls.resource import Input, TlsResource
from infra.plugins.tls.validators import one_of
from infra.plugins.wire import Properties

CURVES: dict[str, type[ec.EllipticCurve]] = {
    "P224": ec.SECP224R1,
    "P256": ec.SECP256R1,
    "P384": ec.SECP384R1,
    "P521": ec.SECP521R1,
}


class PrivateKey(TlsResource):
    """Generate a private key; every change makes a new one."""

    inputs = {  # noqa: RUF012 - ClassVar in the base class
        "algorithm": Input(required=True, validator=one_of("RSA", "ECDSA", "ED25519")),
        "ecdsaCurve": Input(default="P224", validator=one_of(*CURVES)),
        "rsaBits": Input(default=2048),
    }
    outputs = (
        "privateKeyOpenssh",
        "privateKeyPem",
        "privateKeyPemPkcs8",
        "publicKeyFingerprintMd5",
        "publicKeyFingerprintSha256",
        "publicKeyOpenssh",
        "publicKeyPem",
    )
    secrets = frozenset({"privateKeyOpenssh", "privateKeyPem", "privateKeyPemPkcs8"})
    outputs_follow = True
    schema_version = 1

    def make(self, planned: Properties) -> Properties:
        """Generate the key and write it in its formats."""
        key = _generate(planned)
        openssh = serialization.PrivateFormat.OpenSSH
        pkcs8 = serialization.PrivateFormat.PKCS8
        own = pkcs8 if planned["algorithm"] == "ED25519" else serialization.PrivateFormat.TraditionalOpenSSL
        return {
            "privateKeyPem": _pem(key, own),
            "privateKeyPemPkcs8": _pem(key, pkcs8),
            "privateKeyOpenssh": _pem(key, openssh) if supports_openssh(key) else "",
            **public_key_outputs(key),
        }


def _generate(planned: Properties) -> Key:
    if planned["algorithm"] == "ECDSA":
        return ec.generate_private_key(CURVES[planned["ecdsaCurve"]]())
    if planned["algorithm"] == "ED25519":
        return ed25519.Ed25519PrivateKey.generate()
    try:
        return rsa.generate_private_key(public_exponent=65537, key_size=planned["rsaBits"])
    except (ValueError, TypeError, OverflowError) as error:
        raise PluginError(f"Unable to generate Key from configuration: {error}") from error


def _pem(key: Key, form: serialization.PrivateFormat) -> str:
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
