"""A machine's daemon as a manager of Swarm mode."""

from __future__ import annotations

import json
import ssl
from http.client import HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from infra.errors import HostError
from infra.stacks.records import Record

SECONDS = 60
LISTEN = "0.0.0.0:2377"
ALREADY = b"already part of a swarm"


def begin(record: Record, advertised: str) -> None:
    """Make a machine the manager of a new Swarm; one that is in a Swarm already stays there. Raises HostError.

    advertised: the address that other nodes reach it by. https://docs.docker.com/reference/api/engine/ (SwarmInit).
    """
    address = urlsplit(record.docker_url)
    body = json.dumps({"ListenAddr": LISTEN, "AdvertiseAddr": advertised})
    try:
        context = ssl.create_default_context(cafile=f"{record.folder}/ca.pem")
        context.load_cert_chain(f"{record.folder}/cert.pem", f"{record.folder}/key.pem")
        connection = HTTPSConnection(address.hostname or "", address.port, timeout=SECONDS, context=context)
        connection.request("POST", "/swarm/init", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said = answer.read()
        connection.close()
    except (OSError, HTTPException) as error:
        raise _failure(record, str(error)) from None
    if answer.status != 200 and ALREADY not in said:
        raise _failure(record, _message(said) or f"the daemon answered {answer.status} {answer.reason}")


def _message(said: bytes) -> str:
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return ""


def _failure(record: Record, reason: str) -> HostError:
    return HostError(
        f'machine "{record.name}" runs, and has begun no Swarm: {reason}',
        machine=record.name,
        mend=f"mctl ssh {record.name} sudo docker swarm init",
    )
