"""A machine in the shape of docker-machine's config.json, for the scripts and templates that read it.

The shape is that of docker-machine 0.16.2: libmachine/host/host.go, drivers/base.go, engine/engine.go, swarm/swarm.go
and auth/auth.go at github.com/docker/machine. Imports next to nothing: `inspect -f` is a read.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from infra.stacks.records import Record

VERSION = 3
INSTALL_URL = "https://get.docker.com"
SWARM_HOST = "tcp://0.0.0.0:3376"
ON_THE_HOST = "/etc/docker"


def shape(record: Record) -> dict[str, Any]:
    """Shape a record. No secret is in it; a path is empty where mctl keeps no such file on this computer."""
    return {
        "ConfigVersion": VERSION,
        "Driver": _driver(record),
        "DriverName": record.provider,
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": engine_options(record),
            "SwarmOptions": swarm_options(),
            "AuthOptions": _auth(record),
        },
        "Name": record.name,
    }


def _driver(record: Record) -> dict[str, Any]:
    return {
        "IPAddress": record.address,
        "MachineName": record.name,
        "SSHUser": record.ssh_user,
        "SSHPort": record.ssh_port,
        "SSHKeyPath": record.ssh_key or "",
        "StorePath": os.path.dirname(os.path.dirname(record.folder)),
        "SwarmMaster": False,
        "SwarmHost": SWARM_HOST,
        "SwarmDiscovery": "",
        "InstanceId": record.instance_id,  # these two are spelled as its amazonec2 driver does
        "PrivateIPAddress": record.private_address,
    }


def engine_options(record: Record) -> dict[str, Any]:
    """Give what was asked of the engine."""
    asked = record.engine
    install = asked.get("install", "")
    return {
        "ArbitraryFlags": asked.get("opts", []),
        "Dns": None,
        "GraphDir": "",
        "Env": asked.get("env", []),
        "Ipv6": False,
        "InsecureRegistry": asked.get("insecure_registries", []),
        "Labels": [f"{key}={value}" for key, value in record.labels.items()],
        "LogLevel": "",
        "StorageDriver": asked.get("storage_driver", ""),
        "SelinuxEnabled": False,
        "TlsVerify": True,
        "RegistryMirror": asked.get("registry_mirrors", []),
        "InstallURL": install if "://" in install else INSTALL_URL,
    }


def swarm_options() -> dict[str, Any]:
    """Give the options of a machine that is in no swarm."""
    return {
        "IsSwarm": False,
        "Address": "",
        "Discovery": "",
        "Agent": False,
        "Master": False,
        "Host": SWARM_HOST,
        "Image": "swarm:latest",
        "Strategy": "spread",
        "Heartbeat": 0,
        "Overcommit": 0,
        "ArbitraryFlags": [],
        "ArbitraryJoinFlags": [],
        "Env": None,
        "IsExperimental": False,
    }


def _auth(record: Record) -> dict[str, Any]:
    ca, cert, key = (os.path.join(record.folder, f"{file}.pem") for file in ("ca", "cert", "key"))
    return {
        "CertDir": record.folder,
        "CaCertPath": ca,
        "CaPrivateKeyPath": "",
        "CaCertRemotePath": f"{ON_THE_HOST}/ca.pem",
        "ServerCertPath": "",
        "ServerKeyPath": "",
        "ClientKeyPath": key,
        "ServerCertRemotePath": f"{ON_THE_HOST}/server.pem",
        "ServerKeyRemotePath": f"{ON_THE_HOST}/server-key.pem",
        "ClientCertPath": cert,
        "ServerCertSANs": record.tls_sans,
        "StorePath": record.folder,
    }
