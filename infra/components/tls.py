"""Who may talk to whom: one authority and client certificate per stack, one server certificate per machine.

ECDSA P-256 throughout. Leaves live for a year and are renewed by any `up` in their last 30 days; the authority lives
for ten years, and the next generation takes over from it in overlapping steps: see infra/authority.py.
Source: https://docs.docker.com/engine/security/protect-access/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_tls as tls

from infra.authority import ADOPTED, AuthoritySpec
from infra.errors import UsageError
from infra.machine import is_address

HOURS_A_YEAR = 365 * 24
CA_HOURS = 10 * HOURS_A_YEAR
RENEWAL_HOURS = 30 * 24
ORGANIZATION = "mctl"
NAME = "authority"


@dataclass(frozen=True)
class _Generation:
    """One authority of the stack. key: nothing where it was adopted: it signs no more."""

    number: int
    cert: pulumi.Output[str]
    key: pulumi.Input[str] = ""


class Authority(pulumi.ComponentResource):
    """Make the stack's certificate authority and its client certificate, of each generation that counts.

    stack: whose it is, as its certificate says. adopted: generation 0: `ca_cert`, `client_cert` and `client_key`, PEM,
    secret. name: what its resources are called by. Raises UsageError where generation 0 counts and is not there.
    """

    ca_cert: pulumi.Output[str]
    """The certificates of every authority that clients trust, PEM."""
    admitted: pulumi.Output[str]
    """The certificates of every authority whose clients machines let in, PEM."""
    client_cert: pulumi.Output[str]
    """The client certificate, PEM."""
    client_key: pulumi.Output[str]
    """The client's private key, PEM, secret."""

    def __init__(
        self,
        stack: str,
        spec: AuthoritySpec | None = None,
        adopted: pulumi.Output[dict[str, str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
        *,
        name: str = NAME,
    ) -> None:
        super().__init__("mctl:infra:Authority", name, {}, opts)
        spec = spec or AuthoritySpec()
        child = pulumi.ResourceOptions(parent=self)
        if ADOPTED in spec.generations and adopted is None:
            raise UsageError(f"mctl:authority counts on generation {ADOPTED}, but mctl:adoptedAuthority is not there")
        made = {number: _generation(name, number, stack, adopted, child) for number in sorted(spec.generations)}
        self.ca_cert = _bundle([made[number].cert for number in spec.trusts])
        self.admitted = _bundle([made[number].cert for number in spec.admits])
        self.signer = made[spec.signs]
        if spec.client == ADOPTED and adopted is not None:
            self.client_cert, self.client_key = _public(adopted, "client_cert"), adopted["client_key"]
        else:
            self.client_cert, self.client_key = _client(name, made[spec.client], child)
        self.register_outputs({"caCert": self.ca_cert, "clientCert": self.client_cert})


def _generation(
    name: str, number: int, stack: str, adopted: pulumi.Output[dict[str, str]] | None, opts: pulumi.ResourceOptions
) -> _Generation:
    if number == ADOPTED and adopted is not None:
        return _Generation(number, _public(adopted, "ca_cert"))
    key = _key(f"{_prefix(name, number)}-ca-key", opts)
    ca = tls.SelfSignedCert(
        f"{_prefix(name, number)}-ca",
        private_key_pem=key.private_key_pem,
        subject=tls.SelfSignedCertSubjectArgs(common_name=_common_name(number, stack), organization=ORGANIZATION),
        is_ca_certificate=True,
        set_subject_key_id=True,
        validity_period_hours=CA_HOURS,
        allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
        opts=opts,
    )
    return _Generation(number, ca.cert_pem, key.private_key_pem)


def _client(
    authority: str, signer: _Generation, opts: pulumi.ResourceOptions
) -> tuple[pulumi.Output[str], pulumi.Output[str]]:
    name = f"{_prefix(authority, signer.number)}-client"
    key = _key(f"{name}-key", opts)
    request = tls.CertRequest(
        name,
        private_key_pem=key.private_key_pem,
        subject=tls.CertRequestSubjectArgs(common_name=f"{ORGANIZATION} client", organization=ORGANIZATION),
        opts=opts,
    )
    return _sign(signer, name, request, ["client_auth"], opts).cert_pem, key.private_key_pem


def client_key_name(generation: int) -> str:
    """Name the resource of the client key of the stack's authority: a new one makes a new client certificate."""
    return f"{_prefix(NAME, generation)}-client-key"


def server_key_name(machine: str) -> str:
    """Name the resource of a machine's server key: a new one makes a new server certificate."""
    return f"{machine}-server-key"


class ServerCertificate(pulumi.ComponentResource):
    """Make one machine's server certificate, good for every name and address that the machine has.

    addresses: the host's own, known or not yet. sans: more names and addresses that the user asked for. running: False
    keeps the certificate as it is, for a host that is off may have no address.
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
        *,
        running: bool = True,
    ) -> None:
        super().__init__("mctl:infra:ServerCertificate", f"{machine}-server", {}, opts)
        child = pulumi.ResourceOptions(parent=self)
        key = _key(server_key_name(machine), child)
        hosts = pulumi.Output.all(machine, "localhost", "127.0.0.1", "::1", *addresses, *sans)
        request = tls.CertRequest(
            f"{machine}-server",
            private_key_pem=key.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name=machine, organization=ORGANIZATION),
            dns_names=hosts.apply(names_among),
            ip_addresses=hosts.apply(addresses_among),
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=None if running else ["dnsNames", "ipAddresses"]),
        )
        signed = _sign(authority.signer, f"{machine}-server", request, ["server_auth"], child)
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


def _prefix(authority: str, generation: int) -> str:
    return authority if generation == 1 else f"{authority}-{generation}"


def _common_name(generation: int, stack: str) -> str:
    """Name each generation otherwise: a client that trusts two finds an issuer by its name."""
    return f"{ORGANIZATION} CA {stack}" + (f" {generation}" if generation > 1 else "")


def _public(adopted: pulumi.Output[dict[str, str]], part: str) -> pulumi.Output[str]:
    return pulumi.Output.unsecret(adopted[part])


def _bundle(certificates: Sequence[pulumi.Output[str]]) -> pulumi.Output[str]:
    if len(certificates) == 1:
        return certificates[0]
    return pulumi.Output.all(*certificates).apply(lambda texts: "".join(f"{text.strip()}\n" for text in texts))


def _sign(
    signer: _Generation, name: str, request: tls.CertRequest, uses: list[str], opts: pulumi.ResourceOptions
) -> tls.LocallySignedCert:
    return tls.LocallySignedCert(
        name,
        cert_request_pem=request.cert_request_pem,
        ca_cert_pem=signer.cert,
        ca_private_key_pem=signer.key,
        validity_period_hours=HOURS_A_YEAR,
        early_renewal_hours=RENEWAL_HOURS,
        allowed_uses=["digital_signature", "key_encipherment", *uses],
        opts=opts,
    )
