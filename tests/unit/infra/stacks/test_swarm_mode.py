"""What is said where a daemon begins no Swarm. That one does is shown on a real host."""

from __future__ import annotations

from pathlib import Path

import pytest

from infra.errors import HostError
from infra.stacks import records, swarm_mode
from tests import daemon
from tests.certificates import Authority
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")
MEND = "mctl ssh web-1 sudo docker swarm init"


def machine(port: int, ca: Authority) -> records.Record:
    client = ca.client()
    pems = {"ca_cert": ca.cert, "client_cert": client.cert, "client_key": client.key}
    return records.save(
        outputs("web-1", docker_url=f"tcp://127.0.0.1:{port}", **pems), stack="prod", project="/project"
    )


def test_a_daemon_that_refuses_or_is_gone_is_told_and_the_command_that_mends_it(tmp_path: Path) -> None:
    ca = Authority()
    with daemon.serve(ca, ca.server("127.0.0.1"), tmp_path) as port:
        record = machine(port, ca)
        with pytest.raises(HostError) as refused:  # the stand-in knows no POST
            swarm_mode.begin(record, "192.0.2.7")
    with pytest.raises(HostError) as gone:
        swarm_mode.begin(record, "192.0.2.7")
    assert [(error.value.message.partition(": ")[0], error.value.mend) for error in (refused, gone)] == [
        ('machine "web-1" runs, and has begun no Swarm', MEND)
    ] * 2
    assert refused.value.message.startswith(
        'machine "web-1" runs, and has begun no Swarm: the daemon answered 501 Unsupported method'
    )
    assert gone.value.message.endswith("Connection refused")
