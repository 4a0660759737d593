import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.stacks import records
from tests.certificates import Authority
from tests.cli_runner import Ran, Run
from tests.stack_outputs import outputs

CA = Authority()
CLIENT = CA.client()
PEMS = {"ca_cert": CA.cert, "client_cert": CLIENT.cert, "client_key": CLIENT.key}
NO_MATCH = "NAME   ACTIVE   DRIVER   STATE   URL   SWARM   DOCKER   ERRORS\n"


@pytest.fixture(autouse=True)
def daemons(mctl_home: Path) -> Iterator[dict[str, socket.socket]]:
    """Record three machines whose daemons take connections and never answer; web-2 has a damaged record besides."""
    settings: dict[str, tuple[str, dict[str, str]]] = {
        "db": ("qemu", {"tier": "data"}),
        "web-1": ("generic", {"tier": "web", "zone": "a"}),
        "web-10": ("qemu", {"tier": "web", "zone": "b"}),
        "web-2": ("generic", {}),
    }
    servers = {name: socket.create_server(("127.0.0.1", 0)) for name in settings}
    for name, (provider, labels) in settings.items():
        port = servers[name].getsockname()[1]
        url = f"tcp://127.0.0.1:{port}"
        facts = {"address": "127.0.0.1", "ssh_port": port, "docker_url": url, "provider": provider, "labels": labels}
        records.save(outputs(name, **facts, **PEMS), stack="prod", project="/project")
    Path(records.folder("web-2"), "machine.json").write_text("{")
    yield servers
    for server in servers.values():
        server.close()


def was_asked(server: socket.socket) -> bool:
    server.setblocking(False)
    try:
        server.accept()[0].close()
    except BlockingIOError:
        return False
    return True


def options(*filters: str) -> list[str]:
    return [word for one in filters for word in ("--filter", one)]


@pytest.mark.parametrize(
    ("filters", "kept"),
    [
        (["driver=qemu"], ["db", "web-10"]),
        (["driver=qemu", "driver=generic"], ["db", "web-1", "web-10"]),
        (["driver=Qemu"], []),
        (["label=tier=web"], ["web-1", "web-10"]),
        (["label=tier"], ["db", "web-1", "web-10"]),
        (["label=zone=a", "label=tier=data"], ["db", "web-1"]),
        (["label=tier=we"], []),
        (["name=^web"], ["web-1", "web-2", "web-10"]),
        (["name=1"], ["web-1", "web-10"]),
        (["name=^db$", "name=2"], ["db", "web-2"]),
        (["name=web", "driver=qemu"], ["web-10"]),
        (["NAME=web", "label=tier=web", "driver=generic"], ["web-1"]),
        (["swarm=db"], []),
    ],
)
def test_filters_of_one_key_are_alternatives_and_of_different_keys_must_all_hold(
    mctl: Run, daemons: dict[str, socket.socket], filters: list[str], kept: list[str]
) -> None:
    assert mctl("ls", "-q", *options(*filters)) == Ran(0, "".join(f"{name}\n" for name in kept), "")
    assert not any(map(was_asked, daemons.values()))


@pytest.mark.parametrize("filters", [["name=^web-1$"], ["label=zone=a"], ["driver=generic", "name=web"]])
def test_a_machine_that_a_filter_rules_out_is_never_asked(
    mctl: Run, daemons: dict[str, socket.socket], filters: list[str]
) -> None:
    ran = mctl("ls", "-t", "0.3", *options(*filters))
    assert [line.split()[0] for line in ran.out.splitlines()] == ["NAME", "web-1"]
    assert {name: was_asked(server) for name, server in daemons.items()} == {
        "db": False,
        "web-1": True,
        "web-10": False,
        "web-2": False,
    }


@pytest.mark.parametrize(("state", "kept"), [("running", ["db", "web-1", "web-10"]), ("ERROR", ["web-2"])])
def test_a_state_is_asked_for_and_its_case_does_not_matter(mctl: Run, state: str, kept: list[str]) -> None:
    assert mctl("ls", "-q", "-t", "0.3", *options(f"state={state}")).out.split() == kept


def test_nothing_that_is_kept_is_a_header_alone(mctl: Run) -> None:
    assert mctl("ls", *options("name=nope")) == Ran(0, NO_MATCH, "")
    assert mctl("ls", "--json", *options("name=nope")) == Ran(0, "[]\n", "")


def test_a_machine_that_is_only_declared_is_filtered_too(mctl: Run) -> None:
    Path("Pulumi.yaml").write_text("name: mctl\nruntime: python\n")
    Path("Pulumi.prod.yaml").write_text("config:\n  mctl:machines:\n    new: {provider: qemu}\n")
    found = mctl("ls", "--format", "{{.Name}}", "-t", "0.3", *options("driver=qemu")).out
    assert found.split() == ["db", "new", "web-10"]
    assert mctl("ls", "--format", "{{.Name}}", *options("name=nope")).out == ""


@pytest.mark.parametrize(
    ("given", "message", "hint"),
    [
        ("driver", "Unsupported filter syntax", "--filter takes KEY=VALUE, not 'driver'"),
        ("", "Unsupported filter syntax", "--filter takes KEY=VALUE, not ''"),
        ("color=red", "Unsupported filter key 'color'", "--filter takes: driver, swarm, state, name, label"),
        (
            "name=[a",
            "the filter name=[a is no regular expression: unterminated character set at position 0",
            r"--filter 'name=\[a'",
        ),
    ],
)
@pytest.mark.parametrize("switches", [[], ["-q"]])
def test_a_filter_that_means_nothing_is_exit_1(
    mctl: Run, given: str, message: str, hint: str, switches: list[str]
) -> None:
    assert mctl("ls", *switches, "--filter", given) == Ran(1, "", f"Error: {message}\n  hint: {hint}\n")
