"""What the Swarm's scripts ask of a host's daemon. That it does what they ask is shown on real hosts."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from infra.components.engine_scripts import FOLDER, parts, swarm, variables
from tests.unit.infra.components.scratch_host import ScratchHost

TOKEN, KEY = "SWMTKN-1-secret", "SWMKEY-1-secret"
LEAD = {"machine": "web-1", "autolock": "false", "encrypted": "yes"}


def script(*names: str, **values: str) -> str:
    """Put the part together that runs as root."""
    return variables(**{"machine": "web-2", **values}) + parts("prelude", "swarm", *names) + "main\n"


MEMBER = script("swarm_member")


def given(role: str = "worker") -> str:
    return swarm.joining(role=role, token=TOKEN, unlock=KEY, advertise="10.0.0.2", managers=["10.0.0.1", "fd00::1"])


@pytest.fixture
def joining(tmp_path: Path) -> ScratchHost:
    """A host in no Swarm, until its daemon was sent what lets it join."""
    host = ScratchHost(tmp_path / "root", "ID=debian\n")
    joined = host.root / "joined"
    cases = {
        "*LocalNodeState*": f"if [ -e {joined} ]; then echo active; else echo inactive; fi",
        "*LiveRestoreEnabled*": "echo false",
        "*ControlAvailable*": f"[ -e {host.root}/manager ] && echo true || echo false",
        "*NodeID*": "echo node-2",
    }
    host.program("docker", cases)
    host.program("curl", {"*/swarm/join": f"cat >{joined}; printf '\\n200'"})
    return host


def test_a_node_joins_by_the_socket_and_no_argument_holds_its_token(joining: ScratchHost) -> None:
    ran = joining.run(MEMBER, given())
    assert (ran.returncode, ran.stdout) == (0, "node: node-2\n"), ran.stderr
    assert json.loads(joining.read("joined")) == {
        "ListenAddr": "0.0.0.0:2377",
        "AdvertiseAddr": "10.0.0.2",
        "RemoteAddrs": ["10.0.0.1:2377", "[fd00::1]:2377"],
        "JoinToken": TOKEN,
    }
    assert "secret" not in joining.read("calls") + ran.stderr + joining.read("var/log/mctl-swarm.log")


def test_a_node_that_is_in_the_swarm_stays_as_it_is(joining: ScratchHost) -> None:
    joining.write("joined", "")
    ran = joining.run(MEMBER, given())
    assert (ran.returncode, ran.stdout) == (0, "node: node-2\n"), ran.stderr
    assert joining.calls("curl") == []


def test_a_daemon_that_refuses_is_told_without_the_token(joining: ScratchHost) -> None:
    joining.program("curl", {"*/swarm/join": f"""cat >/dev/null; printf '{{"message":"no {TOKEN}"}}\\n503'"""})
    (joining.bin / "sleep").unlink()
    joining.program("sleep", {"*": "true"})
    ran = joining.run(MEMBER, given())
    assert ran.returncode == 1
    assert "mctl-error: it can't join the Swarm: no ***\n" in ran.stderr
    assert "mctl-mend: open 2377/tcp, 7946/tcp+udp, 4789/udp and protocol 50 between the machines" in ran.stderr


def test_live_restore_of_the_hosts_own_keeps_it_out(joining: ScratchHost) -> None:
    joining.program("docker", {"*LocalNodeState*": "echo inactive", "*LiveRestoreEnabled*": "echo true"})
    ran = joining.run(MEMBER, given())
    assert ran.returncode == 1
    assert "mctl-error: live-restore is on, which Swarm mode excludes\n" in ran.stderr


def test_an_empty_host_in_the_place_of_the_lead_begins_no_second_swarm(joining: ScratchHost) -> None:
    ran = joining.run(script("swarm_lead", **LEAD, may_begin=""), given())
    assert ran.returncode == 1
    assert 'mctl-error: machine "web-1" leads the Swarm, but was made anew and is in none\n' in ran.stderr
    assert not [call for call in joining.calls("docker") if "init" in call]


def test_shellcheck_has_nothing_against_the_scripts() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("there is no shellcheck here")
    own = ("swarm_lead", "swarm_member", "swarm_nodes")
    on_nodes = [file.stem for file in FOLDER.glob("swarm_*.sh") if file.stem not in own]
    assert len(on_nodes) > 5
    for names in (*(("swarm_nodes", name) for name in on_nodes), own[:1], own[1:2]):
        text = script(*names, **LEAD)
        command = ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2034,SC2154", "-"]
        checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout
