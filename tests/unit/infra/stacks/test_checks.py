"""What is amiss with a machine as this computer sees it, and what is said to mend it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from infra.machine import MachineSpec
from infra.stacks import checks, project, records
from infra.stacks.checks import Finding
from tests import daemon
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs
from tests.unit.infra.stacks.test_states import CA, CLIENT, SERVER, closed_port

__all__ = ["mctl_home"]
pytestmark = pytest.mark.usefixtures("mctl_home")


def have(provider: str, docker_port: int, **facts: object) -> None:
    """Have a machine that is declared to run, and of whose host nothing but Docker's port can be asked."""
    folder = project.find_project()
    project.declare(folder, "prod", MachineSpec(name="vm", provider=provider))
    own = {
        "provider": provider,
        "address": "127.0.0.1",
        "docker_url": f"tcp://127.0.0.1:{docker_port}",
        "ssh_port": closed_port(),
        "ca_cert": CA.cert,
        "client_cert": CLIENT.cert,
        "client_key": CLIENT.key,
    }
    records.save(outputs("vm", **(own | facts)), stack="prod", project=str(folder))


@pytest.mark.parametrize(
    ("provider", "mend"),
    [("qemu", "mctl start vm"), ("digitalocean", "mctl start vm"), ("generic", "switch the host on")],
)
def test_a_machine_that_is_off_is_one_finding_that_says_how_to_switch_it_on(provider: str, mend: str) -> None:
    have(provider, closed_port())
    assert checks.amiss("vm", print) == [Finding("vm", "Docker over TLS", False, "Stopped, not Running", mend)]


def test_a_certificate_that_is_about_to_end_is_amiss_and_mended_by_new_ones(tmp_path: Path) -> None:
    end = (datetime.now(UTC) + timedelta(days=3)).isoformat(timespec="seconds")
    with daemon.serve(CA, SERVER, tmp_path) as port:
        have("qemu", port, certificate_expiry=end, ssh_port=0)
        ending = Finding(
            "vm", "Certificates", False, f"its server certificate ends on {end[:10]}", "mctl regenerate-certs vm"
        )
        assert checks.amiss("vm", print) == [ending]
        have("qemu", port, ssh_port=0)
        assert checks.amiss("vm", print) == []
