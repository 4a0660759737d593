"""What `pulumi-resource-tls` runs."""

from __future__ import annotations

from infra.plugins.server import Plugin, serve
from infra.plugins.tls.certificate import LocallySignedCert, SelfSignedCert
from infra.plugins.tls.private_key import PrivateKey
from infra.plugins.tls.public_key import get_public_key
from infra.plugins.tls.request import CertRequest

PLUGIN = Plugin(
    version="5.6.2",
    resources={
        "tls:index/privateKey:PrivateKey": PrivateKey(),
        "tls:index/certRequest:CertRequest": CertRequest(),
        "tls:index/selfSignedCert:SelfSignedCert": SelfSignedCert(),
        "tls:index/locallySignedCert:LocallySignedCert": LocallySignedCert(),
    },
    configure={"supportsPreview": True, "acceptResources": True, "supports_autonaming_configuration": True},
    invokes={"tls:index/getPublicKey:getPublicKey": get_public_key},
)


def main() -> None:
    """Serve the plugin until the Pulumi engine ends it."""
    serve(PLUGIN)


if __name__ == "__main__":
    main()
