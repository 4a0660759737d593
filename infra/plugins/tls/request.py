"""CertRequest: a PKCS #10 certificate signing request."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from infra.plugins.server import PluginError
from infra.plugins.tls.names import NAME_INPUTS, alternative_names, names_extension, subject_name
from infra.plugins.tls.public_key import algorithm_of, digest_for, parse_private_key, sha1_id
from infra.plugins.tls.resource import Input, TlsResource, if_pem
from infra.plugins.wire import Properties


class CertRequest(TlsResource):
    """Ask, with a private key, for a certificate on these names; every change makes a new request."""

    inputs = {  # noqa: RUF012 - ClassVar in the base class
        "privateKeyPem": Input(required=True, replaces=if_pem),
        **NAME_INPUTS,
    }
    outputs = ("certRequestPem", "keyAlgorithm")
    secrets = frozenset({"privateKeyPem"})

    def make(self, planned: Properties) -> Properties:
        """Write and sign the request."""
        key = parse_private_key(planned["privateKeyPem"])
        subject = subject_name(planned["subject"])
        builder = x509.CertificateSigningRequestBuilder(subject)
        if names := alternative_names(planned):
            builder = builder.add_extension(*names_extension(names, subject))
        try:
            request = builder.sign(key, digest_for(key))
        except (ValueError, TypeError) as error:
            raise PluginError(f"Error creating certificate request: {error}") from error
        return {
            "id": sha1_id(request.public_bytes(serialization.Encoding.DER)),
            "certRequestPem": request.public_bytes(serialization.Encoding.PEM).decode(),
            "keyAlgorithm": algorithm_of(key),
        }
