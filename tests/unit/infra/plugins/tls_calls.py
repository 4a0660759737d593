"""Short ways to call a tls resource in tests."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from infra.plugins.server import Operation, Resource
from infra.plugins.tls.certificate import LocallySignedCert, SelfSignedCert
from infra.plugins.tls.private_key import PrivateKey
from infra.plugins.tls.request import CertRequest
from infra.plugins.wire import plain

URN = "urn:pulumi:dev::test::tls:index/any:Any::NAME"
NOON = datetime(2026, 1, 1, 12, 0, 0, 250000, tzinfo=UTC)


def create(resource: Resource, **inputs: Any) -> dict[str, Any]:
    """Create it for real; its outputs without secret marks."""
    _, outputs = asyncio.run(resource.create(Operation(urn=URN, news=inputs)))
    return dict(plain(outputs))


def key(algorithm: str, **inputs: Any) -> dict[str, Any]:
    return create(PrivateKey(), algorithm=algorithm, **inputs)


def authority(private_key: str, **inputs: Any) -> dict[str, Any]:
    return create(
        SelfSignedCert(lambda: NOON),
        **{
            "privateKeyPem": private_key,
            "isCaCertificate": True,
            "allowedUses": ["cert_signing", "crl_signing", "digital_signature"],
            "validityPeriodHours": 87600,
            "subject": {"commonName": "a CA"},
            **inputs,
        },
    )


def request(private_key: str, **inputs: Any) -> dict[str, Any]:
    return create(CertRequest(), privateKeyPem=private_key, **inputs)


def signed(ca: dict[str, Any], certificate_request: str, **inputs: Any) -> dict[str, Any]:
    return create(
        LocallySignedCert(lambda: NOON),
        **{
            "caCertPem": ca["certPem"],
            "caPrivateKeyPem": ca["privateKeyPem"],
            "certRequestPem": certificate_request,
            "allowedUses": ["digital_signature", "server_auth"],
            "validityPeriodHours": 8760,
            **inputs,
        },
    )
