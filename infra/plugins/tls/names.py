"""Who a certificate is for: its subject and its alternative names.

Source: RFC 5280, sections 4.1.2.6 and 4.2.1.6.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Sequence
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from infra.plugins.server import PluginError
from infra.plugins.tls.resource import Input
from infra.plugins.tls.validators import each, not_empty
from infra.plugins.wire import Properties

# In the order in which they stand in the subject.
SUBJECT_OIDS = {
    "country": NameOID.COUNTRY_NAME,
    "province": NameOID.STATE_OR_PROVINCE_NAME,
    "locality": NameOID.LOCALITY_NAME,
    "streetAddresses": NameOID.STREET_ADDRESS,
    "postalCode": NameOID.POSTAL_CODE,
    "organization": NameOID.ORGANIZATION_NAME,
    "organizationalUnit": NameOID.ORGANIZATIONAL_UNIT_NAME,
    "commonName": NameOID.COMMON_NAME,
    "serialNumber": NameOID.SERIAL_NUMBER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
}
NAME_INPUTS = {
    "dnsNames": Input(),
    "ipAddresses": Input(validator=each(not_empty)),
    "uris": Input(validator=each(not_empty)),
    "subject": Input(),
}


def subject_name(subject: Properties | None) -> x509.Name:
    """Write a subject as a distinguished name. Values that X.509 forbids raise PluginError."""
    attributes = []
    for field, oid in SUBJECT_OIDS.items():
        value = (subject or {}).get(field) or []
        for text in value if isinstance(value, list) else [value]:
            try:
                attributes.append(x509.NameAttribute(oid, text))
            except ValueError as error:
                raise PluginError(f"Invalid Certificate Subject: {field} {json.dumps(text)}: {error}") from error
    return x509.Name(attributes)


def alternative_names(planned: Properties) -> list[x509.GeneralName]:
    """Write DNS names, addresses and URIs as general names. One that can't be parsed raises PluginError."""
    return [
        *(_dns_name(text) for text in planned["dnsNames"] or []),
        *(_ip_address(text) for text in planned["ipAddresses"] or []),
        *(_uri(text) for text in planned["uris"] or []),
    ]


def copied_names(request: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    """Take the names that a request asks for: DNS, addresses and URIs."""
    try:
        asked = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    kinds = (x509.DNSName, x509.IPAddress, x509.UniformResourceIdentifier)
    return [name for kind in kinds for name in asked if isinstance(name, kind)]


def names_extension(names: Sequence[x509.GeneralName], subject: x509.Name) -> tuple[x509.SubjectAlternativeName, bool]:
    """Give the extension and whether it is critical: it is where there is no subject (RFC 5280, 4.2.1.6)."""
    return x509.SubjectAlternativeName(names), not list(subject)


def _dns_name(text: str) -> x509.DNSName:
    try:
        return x509.DNSName(text)
    except ValueError as error:
        raise PluginError(f"Invalid DNS name: Failed to parse {_quoted(text)}: {error}") from error


def _ip_address(text: str) -> x509.IPAddress:
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError as error:
        raise PluginError(f"Invalid IP address: Failed to parse {_quoted(text)}") from error


def _uri(text: str) -> x509.UniformResourceIdentifier:
    try:
        urlsplit(text)
        return x509.UniformResourceIdentifier(text)
    except ValueError as error:
        raise PluginError(f"Invalid URI: Failed to parse {_quoted(text)}: {error}") from error


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
