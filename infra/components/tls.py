"""Who may talk to whom: one authority and client certificate per stack, one server certificate per machine.

ECDSA P-256 throughout. Leaves live for a year and are renewed by any `up` in their last 30 days; the authority lives
for ten years.
Source: https://docs.docker.com/engine/security/protect-access/
"""

from __future__ import annotations

from collections.abc import Sequence

import pulumi
import pulumi_tls as tls

from infra.machine import is_address

HOURS_A_YEAR = 365 * 24
RENEWAL_HOURS = 30 * 24
ORGANIZATION = "mctl"


class Authority(pulumi.ComponentResource):
    """Make the stack's certificate authority and its client certificate."""

    ca_cert: pulumi.Output[str]
    """The authority's certificate, PEM."""
    ca_key: pulumi.Output[str]
    """The authority's private key, PEM, secret."""
    client_cert: pulumi.Output[str]
    """The client certificate, PEM."""
    client_key: pulumi.Output[str]
    """The client's private key, PEM, secret."""

    def __init__(self, stack: str, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("mctl:infra:Authority", "authority", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        ca_key = _key("authority-ca-key", child)
        ca = tls.SelfSignedCert(
            "authority-ca",
            private_key_pem=ca_key.private_key_pem,
            subject=tls.SelfSignedCertSubjectArgs(common_name=f"{ORGANIZATION} CA {stack}", organization=ORGANIZATION),
            is_ca_certificate=True,
            set_subject_key_id=True,
            validity_period_hours=10 * HOURS_A_YEAR,
            allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
            opts=child,
        )
        self.ca_cert, self.ca_key = ca.cert_pem, ca_key.private_key_pem
        client_key = _key("authority-client-key", child)
        request = tls.CertRequest(
            "authority-client",
            private_key_pem=client_key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=f"{ORGANIZATION} client", organization=ORGANIZATION),
            opts=child,
        )
        self.client_cert = _sign(self, "authority-client", request, ["client_auth"], child).cert_pem
        self.client_key = client_key.private_key_pem
        self.register_outputs({"caCert": self.ca_cert, "clientCert": self.client_cert})


class ServerCertificate(pulumi.ComponentResource):
    """Make one machine's server certificate, good for every name and address that the machine has.

    addresses: the host's own, known or not yet. sans: more names and addresses that the user asked for.
    """

    cert: pulumi.Output[str]
    """The server's certificate, PEM."""
    key: pulumi.Output[str]
    """The server's private key, PEM, secret."""
    expiry: pulumi.Output[str]
    """When the certificate ends, RFC 3339."""

    def __init__(
        self,
        machine: str,
        authority: Authority,
        addresses: Sequence[pulumi.Input[str]],
        sans: Sequence[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("mctl:infra:ServerCertificate", f"{machine}-server", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = _key(f"{machine}-server-key", child)
        hosts = pulumi.Output.all(machine, "localhost", "127.0.0.1", "::1", *addresses, *sans)
        request = tls.CertRequest(
            f"{machine}-server",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=machine, organization=ORGANIZATION),
            dns_names=hosts.apply(names_among),
            ip_addresses=hosts.apply(addresses_among),
            opts=child,
        )
        signed = _sign(authority, f"{machine}-server", request, ["server_auth"], child)
        self.cert, self.key, self.expiry = signed.cert_pem, key.private_key_pem, signed.validity_end_time
        self.register_outputs({"cert": self.cert, "expiry": self.expiry})


def names_among(hosts: Sequence[str]) -> list[str]:
    """Pick the DNS names among names and addresses, each once, in order."""
    return [host for host in dict.fromkeys(hosts) if host and not is_address(host)]


def addresses_among(hosts: Sequence[str]) -> list[str]:
    """Pick the IP addresses among names and addresses, each once, in order."""
    return [host for host in dict.fromkeys(hosts) if is_address(host)]


def _key(name: str, opts: pulumi.ResourceOptions) -> tls.PrivateKey:
    return tls.PrivateKey(name, algorithm="ECDSA", ecdsa_curve="P256", opts=opts)


def _sign(
    authority: Authority, name: str, request: tls.CertRequest, uses: list[str], opts: pulumi.ResourceOptions
) -> tls.LocallySignedCert:
    return tls.LocallySignedCert(
        name,
        cert_request_pem=request.cert_request_pem,
        ca_cert_pem=authority.ca_cert,
        ca_private_key_pem=authority.ca_key,
        validity_period_hours=HOURS_A_YEAR,
        early_renewal_hours=RENEWAL_HOURS,
        allowed_uses=["digital_signature", "key_encipherment", *uses],
        opts=opts,
    )
