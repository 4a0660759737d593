import pytest

from infra.stacks import config_json, records
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")


def save(**changes: object) -> records.Record:
    return records.save(outputs("web-1", **changes), stack="prod", project="/project")


def test_a_record_has_the_shape_of_docker_machines_config_json() -> None:
    engine = {
        "install": "https://install.example/docker",
        "opts": ["log-driver=local"],
        "insecure_registries": ["registry.example:5000"],
        "registry_mirrors": ["https://mirror.example"],
        "storage_driver": "overlay2",
        "env": ["TZ=UTC"],
    }
    record = save(engine=engine, tls_sans=["db.example"])
    folder = record.folder
    assert config_json.shape(record) == {
        "ConfigVersion": 3,
        "Driver": {
            "IPAddress": "192.0.2.7",
            "MachineName": "web-1",
            "SSHUser": "debian",
            "SSHPort": 22,
            "SSHKeyPath": f"{folder}/id_ed25519",
            "StorePath": folder.removesuffix("/machines/web-1"),
            "SwarmMaster": False,
            "SwarmHost": "tcp://0.0.0.0:3376",
            "SwarmDiscovery": "",
            "InstanceId": "web-1-id",
            "PrivateIPAddress": "10.0.0.7",
        },
        "DriverName": "generic",
        "HostOptions": {
            "Driver": "",
            "Memory": 0,
            "Disk": 0,
            "EngineOptions": {
                "ArbitraryFlags": ["log-driver=local"],
                "Dns": None,
                "GraphDir": "",
                "Env": ["TZ=UTC"],
                "Ipv6": False,
                "InsecureRegistry": ["registry.example:5000"],
                "Labels": ["tier=web"],
                "LogLevel": "",
                "StorageDriver": "overlay2",
                "SelinuxEnabled": False,
                "TlsVerify": True,
                "RegistryMirror": ["https://mirror.example"],
                "InstallURL": "https://install.example/docker",
            },
            "SwarmOptions": {
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
            },
            "AuthOptions": {
                "CertDir": folder,
                "CaCertPath": f"{folder}/ca.pem",
                "CaPrivateKeyPath": "",
                "CaCertRemotePath": "/etc/docker/ca.pem",
                "ServerCertPath": "",
                "ServerKeyPath": "",
                "ClientKeyPath": f"{folder}/key.pem",
                "ServerCertRemotePath": "/etc/docker/server.pem",
                "ServerKeyRemotePath": "/etc/docker/server-key.pem",
                "ClientCertPath": f"{folder}/cert.pem",
                "ServerCertSANs": ["db.example"],
                "StorePath": folder,
            },
        },
        "Name": "web-1",
    }


def test_a_record_that_knows_no_engine_settings_has_docker_machines_defaults() -> None:
    shaped = config_json.shape(save(ssh_private_key=None))
    assert shaped["Driver"]["SSHKeyPath"] == ""
    engine = shaped["HostOptions"]["EngineOptions"]
    assert engine["ArbitraryFlags"] == engine["Env"] == engine["RegistryMirror"] == []
    assert engine["InstallURL"] == "https://get.docker.com"
