"""SelfSignedCert and LocallySignedCert: X.509 certificates, and when they are due for renewal.

Source: RFC 5280; extensions in the order, and with the critical marks, of the official plugin.
"""

from __future__ import annotations

import secrets
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes

from infra.plugins.protocol import engine_pb2
from infra.plugins.server import Diff, Operation, PluginError
from infra.plugins.tls.names import NAME_INPUTS, alternative_names, copied_names, names_extension, subject_name
from infra.plugins.tls.public_key import BLOCK, Key, algorithm_of, digest_for, parse_private_key
from infra.plugins.tls.resource import Input, TlsResource, if_pem, never
from infra.plugins.tls.uses import ALL_USES, use_extensions
from infra.plugins.tls.validators import at_least, each, one_of
from infra.plugins.wire import Properties, plain

INPUTS = {
    "allowedUses": Input(required=True, validator=each(one_of(*ALL_USES))),
    "earlyRenewalHours": Input(default=0, replaces=never, validator=at_least(0)),
    "isCaCertificate": Input(default=False),
    "maxPathLength": Input(computed=True, validator=at_least(-1)),
    "setSubjectKeyId": Input(default=False),
    "validityPeriodHours": Input(required=True, validator=at_least(0)),
}
OUTPUTS = ("certPem", "validityEndTime", "validityStartTime")


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Issue:
    """Say what a certificate is made of. issuer: None for a self-signed one."""

    subject: x509.Name
    names: Sequence[x509.GeneralName]
    public_key: CertificatePublicKeyTypes
    signing_key: Key
    issuer: x509.Certificate | None = None


class Certificate(TlsResource):
    """Issue a certificate; replace it once it is due for renewal."""

    def __init__(self, clock: Callable[[], datetime] = utc_now) -> None:
        """Take the time from `clock`."""
        self._clock = clock

    def planned(self, olds: Properties, news: Properties) -> Properties:
        """Add whether it is due from the start: early renewal takes up the whole validity."""
        planned = super().planned(olds, news)
        unchanged = bool(olds) and all(olds.get(name) == value for name, value in planned.items())
        always_due = _hours(planned, "earlyRenewalHours") >= _hours(planned, "validityPeriodHours")
        planned["readyForRenewal"] = always_due or (unchanged and olds.get("readyForRenewal") is True)
        return planned

    def diff(self, op: Operation) -> Diff:
        """Compare the inputs, and ask for a replacement where the certificate is due."""
        diff = super().diff(op)
        olds = plain(op.olds)
        if not self._due(olds.get("validityEndTime"), self.planned(olds, plain(op.news))["earlyRenewalHours"]):
            return diff
        due = {"readyForRenewal"}
        return Diff(diffs=tuple(sorted({*diff.diffs} | due)), replaces=tuple(sorted({*diff.replaces} | due)))

    async def read(self, op: Operation) -> tuple[Properties, Properties] | None:
        """Give the state back, with what the clock says about renewal."""
        found = await super().read(op)
        if found and self._due(found[0].get("validityEndTime"), found[0].get("earlyRenewalHours")):
            found[0]["readyForRenewal"] = True
        return found

    def _due(self, end: object, early: object) -> bool:
        if not isinstance(end, str) or not isinstance(early, int):
            return False
        try:
            return datetime.fromisoformat(end) - timedelta(hours=early) <= self._clock()
        except (ValueError, OverflowError) as error:
            raise PluginError(f"Failed to parse data from string: {end}: {error}") from error

    def make(self, planned: Properties) -> Properties:
        """Issue the certificate."""
        issue = self.issue(planned)
        begin = self._clock()
        try:
            end = begin + timedelta(hours=planned["validityPeriodHours"])
            certificate = self._sign(planned, issue, begin, end)
        except (ValueError, TypeError, OverflowError) as error:
            raise PluginError(f"Failed to create certificate: {error}") from error
        return {
            "id": str(certificate.serial_number),
            "certPem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
            "validityStartTime": _rfc3339(begin),
            "validityEndTime": _rfc3339(end),
        }

    @abstractmethod
    def issue(self, planned: Properties) -> Issue:
        """Gather what the certificate is made of."""

    def _sign(self, planned: Properties, issue: Issue, begin: datetime, end: datetime) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(issue.subject)
            .issuer_name(issue.issuer.subject if issue.issuer else issue.subject)
            .public_key(issue.public_key)
            .serial_number(secrets.randbits(128) or 1)
            .not_valid_before(begin.replace(microsecond=0))
            .not_valid_after(end.replace(microsecond=0))
        )
        for extension, critical in _extensions(planned, issue):
            builder = builder.add_extension(extension, critical)
        return builder.sign(issue.signing_key, digest_for(issue.signing_key))


class SelfSignedCert(Certificate):
    """Issue a certificate that its own key signs."""

    inputs = {  # noqa: RUF012 - ClassVar in the base class
        **INPUTS,
        **NAME_INPUTS,
        "privateKeyPem": Input(required=True, replaces=if_pem),
        "setAuthorityKeyId": Input(default=False),
    }
    outputs = (*OUTPUTS, "keyAlgorithm")
    secrets = frozenset({"privateKeyPem"})

    def issue(self, planned: Properties) -> Issue:
        """Take subject and names from the inputs."""
        key = parse_private_key(planned["privateKeyPem"])
        return Issue(
            subject=subject_name(planned["subject"]),
            names=alternative_names(planned),
            public_key=key.public_key(),
            signing_key=key,
        )

    def make(self, planned: Properties) -> Properties:
        """Issue the certificate and name its key's algorithm."""
        made = super().make(planned)
        return {**made, "keyAlgorithm": algorithm_of(parse_private_key(planned["privateKeyPem"]))}


class LocallySignedCert(Certificate):
    """Issue a certificate for a request, signed by a CA whose key is at hand."""

    inputs = {  # noqa: RUF012 - ClassVar in the base class
        **INPUTS,
        "caCertPem": Input(required=True, replaces=if_pem),
        "caPrivateKeyPem": Input(required=True, replaces=if_pem),
        "certRequestPem": Input(required=True, replaces=if_pem),
    }
    outputs = (*OUTPUTS, "caKeyAlgorithm")
    secrets = frozenset({"caPrivateKeyPem"})

    async def warn(self, op: Operation, planned: Properties) -> None:
        """Warn of an authority that isn't one."""
        if not _is_ca(_ca_certificate(planned["caCertPem"])):
            await op.log(
                "Potentially Invalid Certificate Authority: Certificate provided as Authority does not appear to be a "
                "valid Certificate Authority. The resulting certificate might fail certificate validation.",
                severity=engine_pb2.WARNING,
            )

    def issue(self, planned: Properties) -> Issue:
        """Take subject and names from the request."""
        request = _request(planned["certRequestPem"])
        key = parse_private_key(planned["caPrivateKeyPem"], "Failed to parse CA private key PEM")
        authority = _ca_certificate(planned["caCertPem"])
        if authority.public_key() != key.public_key():
            raise PluginError(
                "Failed to create certificate: x509: provided PrivateKey doesn't match parent's PublicKey"
            )
        return Issue(
            subject=request.subject,
            names=copied_names(request),
            public_key=request.public_key(),
            signing_key=key,
            issuer=authority,
        )

    def make(self, planned: Properties) -> Properties:
        """Issue the certificate and name the authority's algorithm."""
        made = super().make(planned)
        return {**made, "caKeyAlgorithm": algorithm_of(parse_private_key(planned["caPrivateKeyPem"]))}


def _extensions(planned: Properties, issue: Issue) -> list[tuple[x509.ExtensionType, bool]]:
    is_ca, subject_id = planned["isCaCertificate"], x509.SubjectKeyIdentifier.from_public_key(issue.public_key)
    if is_ca and not list(issue.subject):
        raise PluginError(
            "Invalid Certificate Subject: Must contain at least one Distinguished Name when creating Certificate "
            "Authority (CA)"
        )
    length = planned["maxPathLength"]
    path_length = length if is_ca and length is not None and length >= 0 else None
    extensions = use_extensions(planned["allowedUses"])
    extensions.append((x509.BasicConstraints(ca=is_ca, path_length=path_length), True))
    if is_ca or planned["setSubjectKeyId"]:
        extensions.append((subject_id, False))
    if authority_id := _authority_id(planned, issue, subject_id):
        extensions.append((authority_id, False))
    if issue.names:
        extensions.append(names_extension(issue.names, issue.subject))
    return extensions


def _authority_id(
    planned: Properties, issue: Issue, subject_id: x509.SubjectKeyIdentifier
) -> x509.AuthorityKeyIdentifier | None:
    """Name the signing key, where the issuer's certificate names it too."""
    if issue.issuer is None:
        if not planned["setAuthorityKeyId"]:
            return None
        if not (planned["isCaCertificate"] or planned["setSubjectKeyId"]):
            raise PluginError("Invalid Certificate Authority: Could not determine Authority Key Identifier")
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_id)
    if issue.issuer.subject == issue.subject:
        return None
    try:
        issuer_id = issue.issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return None
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_id)


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _block(pem: str, kind: str, what: str) -> bytes:
    block = BLOCK.search(pem)
    if block is None:
        raise PluginError(f'{what}: failed to decode PEM of expected type "{kind}" from bytes')
    if block[1] != kind:
        raise PluginError(f'{what}: invalid PEM type - expected "{kind}", got "{block[1]}"')
    return block[0].encode()


def _ca_certificate(pem: str) -> x509.Certificate:
    what = "Failed to parse CA certificate PEM"
    try:
        return x509.load_pem_x509_certificate(_block(pem, "CERTIFICATE", what))
    except ValueError as error:
        raise PluginError(f"{what}: failed to parse certificate: {error}") from error


def _request(pem: str) -> x509.CertificateSigningRequest:
    what = "Failed to parse certificate request PEM"
    try:
        return x509.load_pem_x509_csr(_block(pem, "CERTIFICATE REQUEST", what))
    except ValueError as error:
        raise PluginError(f"{what}: failed to parse certificate request: {error}") from error


def _hours(planned: Properties, name: str) -> float:
    value = planned[name]
    return value if isinstance(value, int) else float("nan")  # not known yet: no comparison holds


def _rfc3339(moment: datetime) -> str:
    whole, _, fraction = moment.strftime("%Y-%m-%dT%H:%M:%S.%f").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"
