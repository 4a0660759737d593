"""What a certificate may be used for.

Source: RFC 5280, sections 4.2.1.3 and 4.2.1.12; the vendors' object identifiers.
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from infra.plugins.server import PluginError

KEY_USES = {  # as inputs name them, and as cryptography does
    "digital_signature": "digital_signature",
    "content_commitment": "content_commitment",
    "key_encipherment": "key_encipherment",
    "data_encipherment": "data_encipherment",
    "key_agreement": "key_agreement",
    "cert_signing": "key_cert_sign",
    "crl_signing": "crl_sign",
    "encipher_only": "encipher_only",
    "decipher_only": "decipher_only",
}
EXTENDED_USES = {
    "any_extended": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
    "server_auth": ExtendedKeyUsageOID.SERVER_AUTH,
    "client_auth": ExtendedKeyUsageOID.CLIENT_AUTH,
    "code_signing": ExtendedKeyUsageOID.CODE_SIGNING,
    "email_protection": ExtendedKeyUsageOID.EMAIL_PROTECTION,
    "ipsec_end_system": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.5"),
    "ipsec_tunnel": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.6"),
    "ipsec_user": x509.ObjectIdentifier("1.3.6.1.5.5.7.3.7"),
    "timestamping": ExtendedKeyUsageOID.TIME_STAMPING,
    "ocsp_signing": ExtendedKeyUsageOID.OCSP_SIGNING,
    "microsoft_server_gated_crypto": x509.ObjectIdentifier("1.3.6.1.4.1.311.10.3.3"),
    "netscape_server_gated_crypto": x509.ObjectIdentifier("2.16.840.1.113730.4.1"),
    "microsoft_commercial_code_signing": x509.ObjectIdentifier("1.3.6.1.4.1.311.2.1.22"),
    "microsoft_kernel_code_signing": x509.ObjectIdentifier("1.3.6.1.4.1.311.61.1.1"),
}
ALL_USES = tuple(sorted({*KEY_USES, *EXTENDED_USES}))


def use_extensions(uses: Sequence[str]) -> list[tuple[x509.ExtensionType, bool]]:
    """Give the extensions for these uses, each with whether it is critical."""
    extensions: list[tuple[x509.ExtensionType, bool]] = []
    if any(use in KEY_USES for use in uses):
        try:
            usage = x509.KeyUsage(**{flag: use in uses for use, flag in KEY_USES.items()})
        except ValueError as error:
            raise PluginError(
                "Failed to create certificate: encipher_only and decipher_only mean something only together with "
                "key_agreement; add key_agreement to the allowed uses"
            ) from error
        extensions.append((usage, True))
    if extended := [EXTENDED_USES[use] for use in uses if use in EXTENDED_USES]:
        extensions.append((x509.ExtendedKeyUsage(extended), False))
    return extensions
