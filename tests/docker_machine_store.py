"""A store of docker-machine 0.16.2, file for file, and a host as its provisioner leaves it.

RSA 2048 in PKCS#1 PEM, valid for 1080 days; the authority's O is `USER`, the client's `USER.<bootstrap>`, the server's
`USER.NAME`; config.json has absolute paths (libmachine/cert/cert.go, libmachine/host/host.go).
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.container_hosts import ContainerHost

USER = "alice"
DAYS = 1080
DROP_IN = "/etc/systemd/system/docker.service.d/10-machine.conf"
CA_USAGE = {"digital_signature": True, "key_encipherment": True, "key_agreement": True, "key_cert_sign": True}
LEAF_USAGE = {"digital_signature": True, "key_encipherment": False, "key_agreement": False, "key_cert_sign": False}
NO_USAGE = dict.fromkeys(
    ("content_commitment", "data_encipherment", "crl_sign", "encipher_only", "decipher_only"), False
)


class DockerMachineStore:
    """One store, as `docker-machine create` fills it. days: how long its certificates still live."""

    def __init__(self, folder: Path, days: int = DAYS) -> None:
        self.folder, self._days = folder, days
        self._ca_key = rsa.generate_private_key(65537, 2048)
        self._ca = self._certificate(USER, self._ca_key.public_key(), CA_USAGE, ca=True)
        client_key = rsa.generate_private_key(65537, 2048)
        client = self._certificate(
            f"{USER}.<bootstrap>", client_key.public_key(), LEAF_USAGE, usage=ExtendedKeyUsageOID.CLIENT_AUTH
        )
        certs = folder / "certs"
        certs.mkdir(parents=True, mode=0o700)
        _write(certs / "ca.pem", _pem(self._ca), 0o644)
        _write(certs / "ca-key.pem", _key_pem(self._ca_key))
        _write(certs / "cert.pem", _pem(client), 0o644)
        _write(certs / "key.pem", _key_pem(client_key))

    def add(self, name: str, address: str, ssh_key: Path | None, driver: str = "generic", **known: Any) -> Path:
        """Write a machine's folder; give it. known: further fields of its driver."""
        folder = self.folder / "machines" / name
        folder.mkdir(parents=True, mode=0o700)
        for file in ("ca.pem", "cert.pem", "key.pem"):
            _write(folder / file, (self.folder / "certs" / file).read_text(), 0o644)
        key = rsa.generate_private_key(65537, 2048)
        hosts = [x509.IPAddress(ip_address(address))] if address else []
        server = self._certificate(
            f"{USER}.{name}",
            key.public_key(),
            LEAF_USAGE,
            usage=ExtendedKeyUsageOID.SERVER_AUTH,
            names=[*hosts, x509.DNSName("localhost")],
        )
        _write(folder / "server.pem", _pem(server), 0o644)
        _write(folder / "server-key.pem", _key_pem(key))
        if ssh_key:
            _write(folder / "id_rsa", ssh_key.read_text())
            _write(folder / "id_rsa.pub", ssh_key.with_suffix(".pub").read_text(), 0o644)
        _write(folder / "config.json", json.dumps(self._config(name, address, driver, known), indent=4))
        return folder

    def provision(self, host: ContainerHost, name: str) -> None:
        """Leave on a host what docker-machine's systemd provisioner leaves there."""
        folder = self.folder / "machines" / name
        for file in ("ca.pem", "server.pem", "server-key.pem"):
            host.write(f"/etc/docker/{file}", (folder / file).read_text())
        host.write(
            DROP_IN,
            "[Service]\nExecStart=\nExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock "
            "--storage-driver vfs --tlsverify --tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem "
            "--tlskey /etc/docker/server-key.pem --label provider=generic \nEnvironment=\n",
        )
        host.exec("systemctl daemon-reload && systemctl restart docker && systemctl -q enable docker")

    def content(self) -> dict[str, tuple[int, int, bytes]]:
        """Read the whole store: the mode, the time of the last change and the bytes of every file."""
        files = sorted(file for file in self.folder.rglob("*") if file.is_file())
        return {str(file): (file.stat().st_mode, file.stat().st_mtime_ns, file.read_bytes()) for file in files}

    def _config(self, name: str, address: str, driver: str, known: dict[str, Any]) -> dict[str, Any]:
        machine, certs = self.folder / "machines" / name, self.folder / "certs"
        base = {
            "IPAddress": address,
            "MachineName": name,
            "SSHUser": "root",
            "SSHPort": 22,
            "SSHKeyPath": str(machine / "id_rsa"),
            "StorePath": str(self.folder),
            "SwarmMaster": False,
            "SwarmHost": "tcp://0.0.0.0:3376",
            "SwarmDiscovery": "",
        }
        own = {"EnginePort": 2376, "SSHKey": "/home/alice/.ssh/id_rsa"} if driver == "generic" else {}
        return {
            "ConfigVersion": 3,
            "Driver": base | own | known,
            "DriverName": driver,
            "HostOptions": {
                "Driver": "",
                "Memory": 0,
                "Disk": 0,
                "EngineOptions": _engine_options(),
                "SwarmOptions": _swarm_options(),
                "AuthOptions": {
                    "CertDir": str(certs),
                    "CaCertPath": str(certs / "ca.pem"),
                    "CaPrivateKeyPath": str(certs / "ca-key.pem"),
                    "CaCertRemotePath": "",
                    "ServerCertPath": str(machine / "server.pem"),
                    "ServerKeyPath": str(machine / "server-key.pem"),
                    "ClientKeyPath": str(certs / "key.pem"),
                    "ServerCertRemotePath": "",
                    "ServerKeyRemotePath": "",
                    "ClientCertPath": str(certs / "cert.pem"),
                    "ServerCertSANs": [],
                    "StorePath": str(machine),
                },
            },
            "Name": name,
        }

    def _certificate(
        self,
        organization: str,
        public: rsa.RSAPublicKey,
        usages: dict[str, bool],
        *,
        ca: bool = False,
        usage: x509.ObjectIdentifier | None = None,
        names: list[x509.GeneralName] | None = None,
    ) -> x509.Certificate:
        end = datetime.now(UTC) + timedelta(days=self._days)
        builder = (
            x509.CertificateBuilder()
            .subject_name(_organization(organization))
            .issuer_name(_organization(USER))
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(end - timedelta(days=DAYS, minutes=5))
            .not_valid_after(end)
            .add_extension(x509.KeyUsage(**usages, **NO_USAGE), critical=True)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._ca_key, hashes.SHA256())


def _engine_options() -> dict[str, Any]:
    return {
        "ArbitraryFlags": [],
        "Dns": None,
        "GraphDir": "",
        "Env": [],
        "Ipv6": False,
        "InsecureRegistry": [],
        "Labels": ["tier=web"],
        "LogLevel": "",
        "StorageDriver": "",
        "SelinuxEnabled": False,
        "TlsVerify": True,
        "RegistryMirror": [],
        "InstallURL": "https://get.docker.com",
    }


def _swarm_options() -> dict[str, Any]:
    return {
        "IsSwarm": False,
        "Address": "",
        "Discovery": "",
        "Agent": False,
        "Master": False,
        "Host": "tcp://0.0.0.0:3376",
        "Image": "swarm:latest",
        "Strategy": "spread",
        "Heartbeat": 0,
        "Overcommit": 0,
        "ArbitraryFlags": [],
        "ArbitraryJoinFlags": [],
        "Env": None,
        "IsExperimental": False,
    }


def _organization(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key_pem(key: rsa.RSAPrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


def _write(file: Path, text: str, mode: int = 0o600) -> None:
    file.write_text(text)
    os.chmod(file, mode)
