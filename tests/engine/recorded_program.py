"""The program whose official plugins were recorded; `variant` names the one input that differs from the base."""

from __future__ import annotations

from typing import Any

import pulumi
import pulumi_command as command
import pulumi_tls as tls


class RecordedProgram:
    """Declare the recorded resources. key, host_key: what the recorded stack used for its SSH connections."""

    def __init__(self, key: str, host_key: str) -> None:
        self.key = key
        self.host_key = host_key
        self.variant = "base"

    def __call__(self) -> None:
        self.tls()
        self._remote()
        self._local()

    def _pick(self, variant: str, base: Any, other: Any) -> Any:
        return other if self.variant == variant else base

    def tls(self) -> None:
        """Declare keys, requests and certificates alone."""
        pick = self._pick
        rsa = tls.PrivateKey("rsa", algorithm="RSA", rsa_bits=pick("rsa_bits", 2048, 3072))
        rsa_default = tls.PrivateKey("rsa-default", algorithm="RSA")
        ecdsa = tls.PrivateKey("ecdsa", algorithm="ECDSA", ecdsa_curve=pick("ecdsa_curve", "P256", "P384"))
        tls.PrivateKey("ecdsa-default", algorithm="ECDSA")
        edwards = tls.PrivateKey("ed25519", algorithm="ED25519")
        ca = tls.SelfSignedCert(
            "ca",
            private_key_pem=ecdsa.private_key_pem,
            is_ca_certificate=True,
            set_subject_key_id=True,
            validity_period_hours=pick("ca_validity", 87600, 87601),
            allowed_uses=["cert_signing", "crl_signing", "digital_signature"],
            subject=tls.SelfSignedCertSubjectArgs(
                common_name=pick("ca_cn", "mctl CA", "other CA"),
                organization="mctl",
                country="NL",
                locality="Delft",
                province="ZH",
                postal_code="2600",
                serial_number="1",
                street_addresses=["Markt 1"],
                organizational_unit="machines",
            ),
        )
        tls.SelfSignedCert(
            "due-for-renewal",
            private_key_pem=rsa.private_key_pem,
            validity_period_hours=1,
            early_renewal_hours=pick("due", 0, 1),
            allowed_uses=["server_auth"],
            subject=tls.SelfSignedCertSubjectArgs(common_name="due"),
            dns_names=["due.test"],
            ip_addresses=["10.0.0.1"],
            uris=["spiffe://mctl/due"],
        )
        request = tls.CertRequest(
            "server",
            private_key_pem=edwards.private_key_pem,
            subject=tls.CertRequestSubjectArgs(common_name="web-1"),
            dns_names=pick("san_dns", ["web-1", "localhost"], ["web-1", "localhost", "extra"]),
            ip_addresses=pick("san_ip", ["172.17.0.2", "127.0.0.1"], ["172.17.0.3", "127.0.0.1"]),
        )
        tls.CertRequest("bare", private_key_pem=rsa_default.private_key_pem)
        tls.LocallySignedCert(
            "server",
            ca_cert_pem=ca.cert_pem,
            ca_private_key_pem=ecdsa.private_key_pem,
            cert_request_pem=request.cert_request_pem,
            validity_period_hours=pick("leaf_validity", 8760, 8761),
            early_renewal_hours=pick("early", 720, 721),
            allowed_uses=pick("uses", ["digital_signature", "key_encipherment", "server_auth"], ["server_auth"]),
            set_subject_key_id=pick("ski", None, True),
            is_ca_certificate=pick("leaf_ca", None, True),
        )

    def _remote(self) -> None:
        pick = self._pick
        connection = command.remote.ConnectionArgs(
            host="172.17.0.2",
            user="root",
            private_key=self.key,
            dial_error_limit=pick("dial", 20, 21),
            per_dial_timeout=pick("perdial", 10, 11),
            host_key=self.host_key,
        )
        command.remote.Command(
            "minimal",
            connection=command.remote.ConnectionArgs(host="172.17.0.2", private_key=self.key),
            create=pick("c1_create", "echo made", "echo made again"),
        )
        command.remote.Command(
            "full",
            connection=connection,
            create='cat; echo err >&2; echo "$PULUMI_COMMAND_STDOUT"',
            update=pick("update", "echo updated", "echo updated2"),
            delete=pick("delete", "echo gone", "echo gone2"),
            stdin=pick("stdin", "in", "in2"),
            triggers=pick("triggers", ["t1", 2], ["t1", 3]),
            logging=pick("logging", command.remote.Logging.STDOUT, command.remote.Logging.NONE),
            add_previous_output_in_env=pick("prev", False, True),
        )
        command.remote.CopyToRemote(
            "copy",
            connection=connection,
            source=pulumi.StringAsset(pick("asset", "hello\n", "hello2\n")),
            remote_path=pick("path", "/root/copied", "/root/copied2"),
            triggers=pick("ctriggers", ["a"], ["b"]),
        )

    def _local(self) -> None:
        pick = self._pick
        command.local.Command(
            "local",
            create=pick("l_create", 'echo "$GREETING"; pwd', "echo changed"),
            environment=pick("l_env", {"GREETING": "hi"}, {"GREETING": "ho"}),
            dir=pick("l_dir", "/tmp", "/"),
            interpreter=pick("l_interp", ["/bin/sh", "-c"], ["/bin/bash", "-c"]),
            stdin=pick("l_stdin", None, "x"),
            update="echo u",
            delete="echo d",
            logging=command.local.Logging.STDERR,
        )
