"""The outputs of a machine, as a stack gives them."""

from __future__ import annotations

from typing import Any

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE3T6B4kjOkQ4pDGNBtEYjSCpPJJ5WZJZ7n9qs6WmxEn"


def outputs(name: str, **changes: Any) -> dict[str, Any]:
    """Give the outputs of a generic machine with an SSH key of its own."""
    return {
        "name": name,
        "provider": "generic",
        "instance_id": f"{name}-id",
        "address": "192.0.2.7",
        "private_address": "10.0.0.7",
        "ssh_user": "debian",
        "ssh_port": 22,
        "docker_url": "tcp://192.0.2.7:2376",
        "engine_version": "27.3.1",
        "ca_cert": "the CA\n",
        "client_cert": "the client's certificate\n",
        "client_key": "the client's key\n",
        "ssh_private_key": "the SSH key\n",
        "ssh_host_key": HOST_KEY,
        "certificate_expiry": "2031-01-02T03:04:05Z",
        "labels": {"tier": "web"},
        "running": True,
        **changes,
    }
