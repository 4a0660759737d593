from __future__ import annotations

import asyncio
import ipaddress
from datetime import timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key
from cryptography.x509.verification import PolicyBuilder, Store

from infra.plugins.server import Diff, Operation, PluginError
from infra.plugins.tls.certificate import LocallySignedCert, SelfSignedCert
from infra.plugins.tls.public_key import sha1_id
from infra.plugins.tls.request import CertRequest
from infra.plugins.tls.uses import ALL_USES, EXTENDED_USES
from infra.plugins.wire import UNKNOWN
from tests.unit.infra.plugins.replay import calls
from tests.unit.infra.plugins.tls_calls import NOON, URN, authority, create, key, request, signed

P256 = key("ECDSA", ecdsaCurve="P256")["privateKeyPem"]
EDWARDS = key("ED25519")
CA = authority(P256, setSubjectKeyId=True)
ALGORITHMS = [("RSA", "P256"), ("ED25519", "P256"), *[("ECDSA", curve) for curve in ("P224", "P256", "P384", "P521")]]
HOUR = timedelta(hours=1)


def cert(made: dict[str, Any]) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made["certPem"].encode())


def extension(made: dict[str, Any], kind: Any) -> Any:
    return cert(made).extensions.get_extension_for_class(kind).value


def shape(certificate: Any) -> list[tuple[str, bool, str]]:
    """Extensions in order, with critical marks, and values where they aren't made of a key."""
    made_of_keys = (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier)
    return [
        (found.oid.dotted_string, found.critical, "" if isinstance(found.value, made_of_keys) else str(found.value))
        for found in certificate.extensions
    ]


@pytest.mark.parametrize(
    "record",
    [
        r
        for r in calls("calls-tls.jsonl")
        if r["call"] == "Create" and "certPem" in str(r.get("response")) and "id" in r["response"]
    ],
    ids=lambda record: f"{record['step']}-{record['request']['name']}",
)
def test_a_certificate_is_built_like_the_official_one(record: dict[str, Any]) -> None:
    resource = SelfSignedCert() if "SelfSigned" in record["request"]["urn"] else LocallySignedCert()
    ours, theirs = cert(create(resource, **record["request"]["properties"])), cert(record["response"]["properties"])
    assert shape(ours) == shape(theirs)
    assert ours.subject == theirs.subject
    assert ours.issuer == theirs.issuer
    assert ours.public_key() == theirs.public_key()
    assert ours.signature_algorithm_oid == theirs.signature_algorithm_oid
    assert (
        ours.not_valid_after_utc - ours.not_valid_before_utc == theirs.not_valid_after_utc - theirs.not_valid_before_utc
    )
    for kind in (x509.SubjectKeyIdentifier, x509.AuthorityKeyIdentifier):
        assert [e.value for e in ours.extensions if e.oid == kind.oid] == [
            e.value for e in theirs.extensions if e.oid == kind.oid
        ]


@pytest.mark.parametrize(("algorithm", "curve"), ALGORITHMS)
def test_a_server_certificate_verifies_against_its_ca(algorithm: str, curve: str) -> None:
    ca = authority(key(algorithm, ecdsaCurve=curve)["privateKeyPem"])
    asked = request(EDWARDS["privateKeyPem"], subject={"commonName": "web-1"}, dnsNames=["web-1"], ipAddresses=["::1"])
    made = cert(signed(ca, asked["certRequestPem"]))
    made.verify_directly_issued_by(cert(ca))
    cert(ca).verify_directly_issued_by(cert(ca))
    assert made.public_key() == load_pem_public_key(EDWARDS["publicKeyPem"].encode())


def test_a_verifier_accepts_the_chain_for_its_names_and_its_time_only() -> None:
    asked = request(key("ECDSA", ecdsaCurve="P256")["privateKeyPem"], dnsNames=["web-1.test"], ipAddresses=["10.0.0.1"])
    made = cert(signed(CA, asked["certRequestPem"]))
    policy = PolicyBuilder().store(Store([cert(CA)]))
    for name in (x509.DNSName("web-1.test"), x509.IPAddress(ipaddress.ip_address("10.0.0.1"))):
        assert policy.time(NOON + HOUR).build_server_verifier(name).verify(made, [])
    with pytest.raises(x509.verification.VerificationError):
        policy.time(NOON + HOUR).build_server_verifier(x509.DNSName("other.test")).verify(made, [])
    with pytest.raises(x509.verification.VerificationError):
        policy.time(NOON + 8761 * HOUR).build_server_verifier(x509.DNSName("web-1.test")).verify(made, [])


def test_the_times_in_the_outputs_are_the_certificates() -> None:
    made = signed(CA, request(P256)["certRequestPem"], validityPeriodHours=2)
    assert made["validityStartTime"] == "2026-01-01T12:00:00.25Z"
    assert made["validityEndTime"] == "2026-01-01T14:00:00.25Z"
    assert cert(made).not_valid_before_utc == NOON.replace(microsecond=0)
    assert cert(made).not_valid_after_utc == NOON.replace(microsecond=0) + 2 * HOUR
    assert made["id"] == str(cert(made).serial_number)


def test_every_use_is_written() -> None:
    made = authority(P256, allowedUses=list(ALL_USES))
    assert set(extension(made, x509.ExtendedKeyUsage)) == set(EXTENDED_USES.values())
    assert "True, content_commitment=True" in str(extension(made, x509.KeyUsage))
    assert "False" not in str(extension(made, x509.KeyUsage))


def test_encipher_only_needs_key_agreement() -> None:
    with pytest.raises(PluginError, match="add key_agreement"):
        authority(P256, allowedUses=["encipher_only"])


def test_every_subject_field_is_written() -> None:
    subject = {
        "commonName": "n", "country": "NL", "emailAddress": "a@b.test", "locality": "l", "organization": "o",
        "organizationalUnit": "u", "postalCode": "p", "province": "s", "serialNumber": "1",
        "streetAddresses": ["x", "y"],
    }  # fmt: skip
    made = authority(P256, subject=subject)
    written = [attribute.value for attribute in cert(made).subject]
    assert written == [
        "NL",
        "s",
        "l",
        "x",
        "y",
        "p",
        "o",
        "u",
        "n",
        "1",
        "a@b.test",
    ]
    assert made["subject"] == subject
    delta = made["__pulumi_raw_state_delta"]["obj"]["ps"]["subject"]["plu"]["i"]["obj"]
    assert delta == {"ps": {"streetAddresses": {"arr": {}}}, "renamed": {"streetAddresses": "street_address"}}


@pytest.mark.parametrize(("length", "expected"), [(None, None), (-1, None), (0, 0), (2, 2)])
def test_the_path_length_of_a_ca_is_limited_as_asked(length: int | None, expected: int | None) -> None:
    made = authority(P256, **({} if length is None else {"maxPathLength": length}))
    assert extension(made, x509.BasicConstraints).path_length == expected
    assert made.get("maxPathLength") == length


def test_alternative_names_without_a_subject_are_critical() -> None:
    asked = x509.load_pem_x509_csr(request(P256, dnsNames=["a.test"])["certRequestPem"].encode())
    assert asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical


def test_a_request_is_signed_by_its_key_and_asks_for_its_names() -> None:
    made = request(
        P256, subject={"commonName": "web-1"}, dnsNames=["a"], ipAddresses=["10.0.0.1", "fe80::1"], uris=["urn:x"]
    )
    asked = x509.load_pem_x509_csr(made["certRequestPem"].encode())
    names = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert asked.is_signature_valid
    assert names.get_values_for_type(x509.DNSName) == ["a"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.1", "fe80::1"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:x"]
    assert made["keyAlgorithm"] == "ECDSA"


REQUESTS = [
    record["response"]["properties"]
    for record in calls("calls-tls.jsonl")
    if record["call"] == "Create" and "CertRequest" in record["request"]["urn"] and "id" in (record["response"] or {})
]


@pytest.mark.parametrize("made", REQUESTS, ids=lambda made: made["keyAlgorithm"])
def test_the_id_of_a_request_is_the_official_one(made: dict[str, Any]) -> None:
    asked = x509.load_pem_x509_csr(made["certRequestPem"].encode())
    assert sha1_id(asked.public_bytes(Encoding.DER)) == made["id"]


def test_a_self_signed_authority_key_id_needs_a_subject_key_id() -> None:
    made = authority(P256, setAuthorityKeyId=True)
    assert (
        extension(made, x509.AuthorityKeyIdentifier).key_identifier == extension(made, x509.SubjectKeyIdentifier).digest
    )
    with pytest.raises(
        PluginError, match="Invalid Certificate Authority: Could not determine Authority Key Identifier"
    ):
        authority(P256, isCaCertificate=False, setAuthorityKeyId=True)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"caPrivateKeyPem": EDWARDS["privateKeyPem"]}, "provided PrivateKey doesn't match parent's PublicKey"),
        ({"caCertPem": "x"}, 'Failed to parse CA certificate PEM: failed to decode PEM of expected type "CERTIFICATE"'),
        ({"caCertPem": P256}, 'invalid PEM type - expected "CERTIFICATE", got "EC PRIVATE KEY"'),
        ({"caPrivateKeyPem": "x"}, "Failed to parse CA private key PEM: failed to decode PEM block"),
        ({"certRequestPem": "x"}, "Failed to parse certificate request PEM"),
        ({"validityPeriodHours": 10**9}, "Failed to create certificate"),
    ],
)
def test_what_cannot_be_signed_says_why(change: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginError, match=text):
        signed(CA, request(P256)["certRequestPem"], **change)


def test_a_ca_needs_a_subject() -> None:
    with pytest.raises(PluginError, match="Invalid Certificate Subject: Must contain at least one Distinguished Name"):
        authority(P256, subject=None)


@pytest.mark.parametrize(
    ("inputs", "text"),
    [
        ({"dnsNames": ["bü.test"]}, "Invalid DNS name"),
        ({"uris": ["urn:ü"]}, "Invalid URI"),
        ({"subject": {"country": "Holland"}}, "Invalid Certificate Subject: country"),
    ],
)
def test_a_name_that_x509_forbids_is_refused(inputs: dict[str, Any], text: str) -> None:
    with pytest.raises(PluginError, match=text):
        request(P256, **inputs)


def test_signing_with_a_certificate_that_is_no_ca_warns() -> None:
    lines: list[str] = []

    async def log(text: str, **_options: Any) -> None:
        lines.append(text)

    def sign(ca: dict[str, Any]) -> list[str]:
        news = {
            "caCertPem": ca["certPem"], "caPrivateKeyPem": P256, "certRequestPem": request(P256)["certRequestPem"],
            "allowedUses": [], "validityPeriodHours": 1,
        }  # fmt: skip
        asyncio.run(LocallySignedCert().create(Operation(urn=URN, news=news, log=log)))
        return lines

    assert sign(CA) == []
    assert "does not appear to be a valid Certificate Authority" in sign(authority(P256, isCaCertificate=False))[0]


INPUTS = {"allowedUses": ["server_auth"], "privateKeyPem": P256, "validityPeriodHours": 100, "earlyRenewalHours": 10}


def diff_at(hours: float, olds: dict[str, Any], **change: Any) -> Diff:
    resource = SelfSignedCert(lambda: NOON + hours * HOUR)
    return resource.diff(Operation(urn=URN, olds=olds, news={**INPUTS, **change}))


@pytest.mark.parametrize(("hours", "due"), [(0, False), (89.99, False), (90, True), (99, True), (1000, True)])
def test_a_certificate_is_replaced_from_its_early_renewal_on(hours: float, due: bool) -> None:
    made = create(SelfSignedCert(lambda: NOON), **INPUTS)
    diff = diff_at(hours, made)
    assert made["readyForRenewal"] is False
    assert diff.diffs == diff.replaces == (("readyForRenewal",) if due else ())
    found = asyncio.run(SelfSignedCert(lambda: NOON + hours * HOUR).read(Operation(urn=URN, olds=made)))
    assert found is not None
    assert found[0]["readyForRenewal"] is due


def test_a_certificate_whose_early_renewal_is_its_validity_is_replaced_at_every_up() -> None:
    made = create(SelfSignedCert(lambda: NOON), **{**INPUTS, "validityPeriodHours": 1, "earlyRenewalHours": 1})
    diff = diff_at(0, made, validityPeriodHours=1, earlyRenewalHours=1)
    assert made["readyForRenewal"] is True
    assert diff.replaces == ("readyForRenewal",)


def test_a_leaf_is_replaced_when_due_like_any_other() -> None:
    made = signed(CA, request(P256)["certRequestPem"], validityPeriodHours=1, earlyRenewalHours=1)
    later = LocallySignedCert(lambda: NOON + timedelta(minutes=1))
    news = {name: made[name] for name in LocallySignedCert.inputs if name in made}
    assert later.diff(Operation(urn=URN, olds=made, news=news)).replaces == ("readyForRenewal",)


def test_a_state_that_was_refreshed_when_due_is_replaced() -> None:
    made = {**create(SelfSignedCert(lambda: NOON), **INPUTS), "readyForRenewal": True}
    assert diff_at(95, made).replaces == ("readyForRenewal",)


def test_a_longer_early_renewal_updates_in_place_until_it_makes_the_certificate_due() -> None:
    made = create(SelfSignedCert(lambda: NOON), **INPUTS)
    early = diff_at(50, made, earlyRenewalHours=20)
    due = diff_at(50, made, earlyRenewalHours=60)
    assert (early.diffs, early.replaces) == (("earlyRenewalHours",), ())
    assert (due.diffs, due.replaces) == (("earlyRenewalHours", "readyForRenewal"), ("readyForRenewal",))


def test_a_hash_in_an_old_state_where_the_key_is_now_is_updated_in_place() -> None:
    made = {**create(CertRequest(), privateKeyPem=P256), "privateKeyPem": "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"}
    diff = CertRequest().diff(Operation(urn=URN, olds=made, news={"privateKeyPem": P256}))
    assert (diff.diffs, diff.replaces) == (("privateKeyPem",), ())


def test_a_removed_path_length_stays_and_a_new_one_replaces() -> None:
    made = create(SelfSignedCert(lambda: NOON), **INPUTS, maxPathLength=1)
    assert diff_at(0, made).diffs == ()
    assert diff_at(0, made, maxPathLength=2).replaces == ("maxPathLength",)


@pytest.mark.parametrize(
    ("inputs", "where", "reason"),
    [
        ({"validityPeriodHours": -1}, "validityPeriodHours", "validity_period_hours value must be at least 0, got: -1"),
        ({"earlyRenewalHours": -3}, "earlyRenewalHours", "early_renewal_hours value must be at least 0, got: -3"),
        ({"maxPathLength": -2}, "maxPathLength", "max_path_length value must be at least -1, got: -2"),
        ({"uris": ["urn:x", ""]}, "uris[1]", "uris[1] string length must be at least 1, got: 0"),
        ({"ipAddresses": [""]}, "ipAddresses[0]", "ip_addresses[0] string length must be at least 1, got: 0"),
    ],
)
def test_a_bad_input_is_refused_before_anything_is_made(inputs: dict[str, Any], where: str, reason: str) -> None:
    _, (failure,) = SelfSignedCert().check(Operation(urn=URN, news={**INPUTS, **inputs}))
    assert failure.reason.startswith("Invalid Attribute Value")
    assert failure.reason.endswith(f". Attribute {reason}. Examine values at 'NAME.{where}'.")
    assert failure.property == ""


def test_inputs_that_are_not_known_yet_are_not_held_against_anything() -> None:
    news = {**INPUTS, "validityPeriodHours": UNKNOWN, "allowedUses": [UNKNOWN], "ipAddresses": UNKNOWN}
    _, failures = SelfSignedCert().check(Operation(urn=URN, news=news))
    assert failures == []


def test_a_missing_input_is_named() -> None:
    _, failures = SelfSignedCert().check(Operation(urn=URN, news={}))
    named = [failure.reason.rpartition("Examine values at ")[2] for failure in failures]
    assert named == ["'NAME.allowedUses'.", "'NAME.validityPeriodHours'.", "'NAME.privateKeyPem'."]
