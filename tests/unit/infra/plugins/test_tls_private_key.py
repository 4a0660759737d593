from __future__ import annotations

import asyncio
import hashlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from infra.plugins.server import Operation, PluginError
from infra.plugins.tls.private_key import CURVES, PrivateKey
from infra.plugins.tls.public_key import get_public_key
from infra.plugins.wire import is_secret
from tests.unit.infra.plugins.replay import calls
from tests.unit.infra.plugins.tls_calls import URN, key

RECORDED = [
    record["response"]["properties"]
    for record in calls("calls-tls.jsonl")
    if record["call"] == "Create" and "privateKey:PrivateKey" in record["request"]["urn"] and "id" in record["response"]
]
KINDS: list[tuple[dict[str, Any], str]] = [
    ({"algorithm": "RSA"}, "RSA PRIVATE KEY"),
    ({"algorithm": "RSA", "rsaBits": 3072}, "RSA PRIVATE KEY"),
    ({"algorithm": "ED25519"}, "PRIVATE KEY"),
    *[({"algorithm": "ECDSA", "ecdsaCurve": curve}, "EC PRIVATE KEY") for curve in CURVES],
]


@pytest.mark.parametrize(("inputs", "preamble"), KINDS)
def test_every_format_holds_the_same_key(inputs: dict[str, Any], preamble: str) -> None:
    made = key(**inputs)
    private = serialization.load_pem_private_key(made["privateKeyPem"].encode(), None)
    public = serialization.load_pem_public_key(made["publicKeyPem"].encode())
    pkcs8 = serialization.load_pem_private_key(made["privateKeyPemPkcs8"].encode(), None)
    assert made["privateKeyPem"].startswith(f"-----BEGIN {preamble}-----\n")
    assert made["privateKeyPemPkcs8"].startswith("-----BEGIN PRIVATE KEY-----\n")
    assert private.public_key() == public == pkcs8.public_key()
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert made["id"] == hashlib.sha1(der.strip()).hexdigest()
    if made["privateKeyOpenssh"]:
        openssh = serialization.load_ssh_private_key(made["privateKeyOpenssh"].encode(), None)
        assert openssh.public_key() == public == serialization.load_ssh_public_key(made["publicKeyOpenssh"].encode())


def test_the_key_is_of_the_size_and_curve_asked_for() -> None:
    big = serialization.load_pem_private_key(key("RSA", rsaBits=3072)["privateKeyPem"].encode(), None)
    curve = serialization.load_pem_private_key(key("ECDSA", ecdsaCurve="P521")["privateKeyPem"].encode(), None)
    default = serialization.load_pem_private_key(key("ECDSA")["privateKeyPem"].encode(), None)
    edwards = serialization.load_pem_private_key(key("ED25519")["privateKeyPem"].encode(), None)
    assert isinstance(big, rsa.RSAPrivateKey) and big.key_size == 3072
    assert isinstance(curve, ec.EllipticCurvePrivateKey) and curve.curve.name == "secp521r1"
    assert isinstance(default, ec.EllipticCurvePrivateKey) and default.curve.name == "secp224r1"
    assert isinstance(edwards, ed25519.Ed25519PrivateKey)


@pytest.mark.parametrize("algorithm", ["RSA", "ECDSA", "ED25519"])
def test_ssh_keygen_agrees_on_the_key_and_its_fingerprints(algorithm: str, tmp_path: Path) -> None:
    made = key(algorithm, ecdsaCurve="P256")
    file = tmp_path / "key"
    file.write_text(made["privateKeyOpenssh"])
    file.chmod(0o600)
    public = subprocess.run(["ssh-keygen", "-y", "-f", file], capture_output=True, text=True, check=True).stdout
    assert public == made["publicKeyOpenssh"]
    for digest, expected in (
        ("sha256", made["publicKeyFingerprintSha256"]),
        ("md5", f"MD5:{made['publicKeyFingerprintMd5']}"),
    ):
        shown = subprocess.run(
            ["ssh-keygen", "-l", "-E", digest, "-f", file], capture_output=True, text=True, check=True
        )
        assert shown.stdout.split()[1] == expected


def test_p224_has_no_openssh_forms() -> None:
    made = key("ECDSA", ecdsaCurve="P224")
    names = ("privateKeyOpenssh", "publicKeyOpenssh", "publicKeyFingerprintMd5", "publicKeyFingerprintSha256")
    assert {made[name] for name in names} == {""}


def test_a_key_of_an_impossible_size_is_refused() -> None:
    with pytest.raises(PluginError, match=r"Unable to generate Key from configuration: .*1024"):
        key("RSA", rsaBits=64)


def test_a_changed_algorithm_replaces_the_key_and_its_outputs() -> None:
    olds = key("RSA")
    diff = PrivateKey().diff(Operation(urn=URN, olds=olds, news={"algorithm": "ED25519"}))
    assert diff.replaces == ("algorithm",)
    assert set(diff.diffs) == {*PrivateKey.outputs, "algorithm", "id"}


def test_import_is_refused() -> None:
    with pytest.raises(PluginError, match="does not support import"):
        asyncio.run(PrivateKey().read(Operation(urn=URN, id="made-up")))


@pytest.mark.parametrize(
    ("recorded", "form"),
    [
        pytest.param(recorded, form, id=f"{recorded['algorithm']}-{recorded['ecdsaCurve']}-{form}")
        for recorded in RECORDED
        for form in sorted(PrivateKey.secrets)
        if recorded[form]["value"]
    ],
)
def test_get_public_key_tells_what_the_official_plugin_told_of_its_own_keys(
    recorded: dict[str, Any], form: str
) -> None:
    private = recorded[form]["value"]
    argument = "privateKeyOpenssh" if form == "privateKeyOpenssh" else "privateKeyPem"
    told = asyncio.run(get_public_key({argument: private}))
    assert is_secret(told.pop(argument))
    assert told == {name: recorded[name] for name in told}
    assert {"algorithm", "id", "publicKeyPem", "publicKeyOpenssh", "publicKeyFingerprintSha256"} <= told.keys()


@pytest.mark.parametrize("arguments", [{}, {"privateKeyPem": "a", "privateKeyOpenssh": "b"}])
def test_get_public_key_wants_exactly_one_key(arguments: dict[str, str]) -> None:
    with pytest.raises(PluginError, match="exactly one"):
        asyncio.run(get_public_key(arguments))


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"privateKeyPem": "nonsense"}, "failed to decode PEM block: decoded bytes 0, undecoded 8"),
        ({"privateKeyOpenssh": "nonsense"}, "failed to parse openssh private key"),
        (
            {"privateKeyPem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"},
            "unsupported PEM preamble",
        ),
        (
            {"privateKeyPem": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"},
            "failed to parse private",
        ),
    ],
)
def test_a_key_that_cannot_be_read_is_named_without_being_shown(arguments: dict[str, str], text: str) -> None:
    with pytest.raises(PluginError, match=text) as failure:
        asyncio.run(get_public_key(arguments))
    assert "AAAA" not in str(failure.value)
