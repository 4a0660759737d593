"""Private keys in PEM, and what is known of the public key that belongs to one."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from infra.plugins.server import PluginError
from infra.plugins.wire import Properties, plain, secret

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

BLOCK = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----\s.*?-----END \1-----", re.DOTALL)
KEY_BLOCKS = ("PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")


def algorithm_of(key: Any) -> str:
    """Name a key's algorithm as the inputs do; an empty text for one that isn't supported."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RSA"
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return "ECDSA"
    return "ED25519" if isinstance(key, ed25519.Ed25519PrivateKey) else ""


def parse_private_key(pem: str, what: str = "Failed to parse private key PEM") -> Key:
    """Read a PKCS #1, SEC 1 or PKCS #8 private key. what: how its error begins."""
    block = BLOCK.search(pem)
    if block is None:
        raise PluginError(f"{what}: failed to decode PEM block: decoded bytes 0, undecoded {len(pem.encode())}")
    preamble = block[1]
    if preamble not in KEY_BLOCKS:
        raise PluginError(f"{what}: unsupported PEM preamble/type: {preamble}")
    try:
        key = serialization.load_pem_private_key(block[0].encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PluginError(f"{what}: failed to parse private key given PEM preamble '{preamble}': {error}") from error
    return _supported(key, what)


def _parse_openssh_key(pem: str, what: str) -> Key:
    try:
        key = serialization.load_ssh_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise PluginError(f"{what}: failed to parse openssh private key: {error}") from error
    return _supported(key, what)


def _supported(key: Any, what: str) -> Key:
    if not algorithm_of(key):
        raise PluginError(f"{what}: unsupported private key type: {type(key).__name__}")
    return key  # type: ignore[no-any-return]  # algorithm_of has looked at its type


def supports_openssh(key: Key) -> bool:
    """Tell whether OpenSSH knows the key's kind: it has no P-224."""
    return not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP224R1))


def public_key_outputs(key: Key) -> Properties:
    """Give the public key in every format, its fingerprints, and the id: SHA-1 of its SubjectPublicKeyInfo."""
    public = key.public_key()
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    der = public.public_bytes(serialization.Encoding.DER, spki)
    outputs = {
        "id": sha1_id(der),
        "publicKeyPem": public.public_bytes(serialization.Encoding.PEM, spki).decode(),
        "publicKeyOpenssh": "",
        "publicKeyFingerprintMd5": "",
        "publicKeyFingerprintSha256": "",
    }
    if supports_openssh(key):
        line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
        blob = base64.b64decode(line.split()[1])
        digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
        outputs["publicKeyOpenssh"] = f"{line}\n"
        outputs["publicKeyFingerprintMd5"] = hashlib.md5(blob, usedforsecurity=False).digest().hex(":")
        outputs["publicKeyFingerprintSha256"] = f"SHA256:{digest}"
    return outputs


def sha1_id(der: bytes) -> str:
    """Make an id of a DER. White space at its ends doesn't count: so does the official plugin."""
    return hashlib.sha1(der.strip(), usedforsecurity=False).hexdigest()


async def get_public_key(arguments: Properties) -> Properties:
    """Tell the public key of a private key in PEM or OpenSSH format: the function `tls.getPublicKey`."""
    given = {name: value for name, value in plain(arguments).items() if value is not None}
    what = "Unable to parse private key"
    if len({"privateKeyPem", "privateKeyOpenssh"} & given.keys()) != 1:
        raise PluginError("getPublicKey takes exactly one of privateKeyPem and privateKeyOpenssh")
    key = (
        parse_private_key(given["privateKeyPem"], what)
        if "privateKeyPem" in given
        else _parse_openssh_key(given["privateKeyOpenssh"], what)
    )
    return {
        **{name: secret(value) for name, value in given.items()},
        "algorithm": algorithm_of(key),
        **public_key_outputs(key),
    }


def digest_for(key: Key) -> hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None:
    """Match the signature's digest to the curve's strength; Ed25519 has its own (None), RSA takes SHA-256."""
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.key_size > 256:
        return hashes.SHA384() if key.curve.key_size == 384 else hashes.SHA512()
    return hashes.SHA256()
