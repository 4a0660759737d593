"""What create refuses before anything is made: the whole output, the exit code, and that nothing is there after."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.components.drivers import names
from infra.plugins.hypervisor import requirements
from tests.cli_runner import Ran, Run, as_process
from tests.stack_outputs import HOST_KEY

GENERIC = ("--provider", "generic", "--generic-ip-address", "127.0.0.1")
needs_qemu = pytest.mark.skipif(
    any(not finding.ok for finding in requirements.check_host()), reason="qemu is not installed"
)


@pytest.fixture(autouse=True)
def nothing_made(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have nothing but what a home begins with when the test is over."""
    monkeypatch.setenv("HOME", str(mctl_home.parent))
    monkeypatch.setenv("MCTL_CACHE_DIR", str(mctl_home.parent / "cache"))
    yield
    left = [str(file) for file in mctl_home.rglob("*") if file.is_file() and file.parent.name != "locks"]
    assert set(left) <= {str(mctl_home / name) for name in ("Pulumi.yaml", "passphrase")}


@pytest.fixture
def mctl() -> Run:
    """Run it as a process: its options are those of the provider that the command line names."""
    return as_process


@pytest.mark.parametrize(
    ("arguments", "code", "message", "mend"),
    [
        (
            ("a_b", *GENERIC),
            2,
            "invalid machine name 'a_b': use letters, digits, '-' and '.', at most 63, beginning and ending with a "
            "letter or a digit",
            None,
        ),
        (
            ("web", "--provider", "gneric"),
            2,
            "unknown provider 'gneric'; did you mean 'generic'?",
            f"--provider takes one of: {', '.join(names())}",
        ),
        (
            ("web", *GENERIC, "--generic-ssh-prot", "5"),
            2,
            "no such option: --generic-ssh-prot; did you mean --generic-ssh-port?",
            "mctl create --help",
        ),
        (
            ("web", *GENERIC, "--generic-ssh-port", "five"),
            2,
            "invalid value for '--generic-ssh-port' (env var: 'GENERIC_SSH_PORT'): it must be a whole number",
            "mctl create --help",
        ),
        (("web", "--provider", "generic"), 2, "provider generic needs --generic-ip-address", None),
        ((), 2, "missing argument 'name'", "mctl create --help"),
        (
            ("web", *GENERIC, "--engine-install", "dokcer"),
            2,
            "--engine-install 'dokcer' is none of auto, docker, distro, none or a script's URL",
            None,
        ),
        (
            ("web", *GENERIC, "--engine-version", "newest"),
            2,
            "--engine-version 'newest' is not a version such as 27 or 27.3.1",
            None,
        ),
        (("web", *GENERIC, "--engine-label", "tier"), 2, "engine setting 'tier' is not KEY=VALUE", None),
        (
            ("web", *GENERIC, "--engine-opt", "tlscert=x"),
            2,
            "--engine-opt tlscert is set by mctl",
            "leave --engine-opt tlscert off",
        ),
        (("web", *GENERIC, "--managers", "3"), 2, "--managers is for a Swarm", "add --swarm"),
        (
            ("web", *GENERIC, "--swarm", "--managers", "4"),
            2,
            "a Swarm of 4 managers: it must be an odd number from 1 to 7",
            "--managers 3",
        ),
        (("web", *GENERIC, "--tls-san", "a b"), 2, "--tls-san 'a b' is neither a host name nor an IP address", None),
        (
            ("web", *GENERIC, "--private-address-only"),
            2,
            "--private-address-only: a machine of provider generic has no private address of its own",
            "give the address that is to be used",
        ),
        (
            ("web", *GENERIC, "--user-data", "cloud.yaml"),
            2,
            "--user-data: provider generic makes no machine that could read it",
            "run a script on the host with --provision-script",
        ),
        (
            ("web", "--provider", "qemu", "--ssh-proxy-jump", "me@bastion"),
            2,
            "--ssh-proxy-jump: a machine of provider qemu is on this computer",
            None,
        ),
        (
            ("web", *GENERIC, "--ssh-proxy-jump", "me@one,me@two"),
            2,
            "--ssh-proxy-jump 'me@one,me@two' is not [USER@]HOST[:PORT]",
            None,
        ),
        (
            ("web", *GENERIC, "--provision-script", "/nowhere.sh"),
            3,
            "the script /nowhere.sh can't be read: No such file or directory",
            "put it back, or name a file that you can read with --provision-script",
        ),
        (
            ("web", *GENERIC, "--ssh-proxy-jump", "me@bastion.invalid:2222"),
            3,
            "the SSH host key of [bastion.invalid]:2222 is not known",
            "give it with --ssh-proxy-host-key 'ssh-ed25519 AAAA…', log in once with ssh -p 2222 me@bastion.invalid, "
            "or trust what answers now with --ssh-proxy-host-key accept-new",
        ),
        (
            ("web", *GENERIC, "--generic-ssh-key", "/nowhere/key"),
            3,
            "the SSH key /nowhere/key can't be read: No such file or directory",
            "name a private key that you can read with --generic-ssh-key",
        ),
        (
            ("web", *GENERIC, "--generic-ssh-port", "2299"),
            3,
            "the SSH host key of [127.0.0.1]:2299 is not known",
            "give it with --ssh-host-key 'ssh-ed25519 AAAA…', log in once with ssh -p 2299 root@127.0.0.1, or trust "
            "what answers now with --ssh-host-key accept-new",
        ),
    ],
)
def test_what_cannot_be_meant_or_reached_is_refused(
    mctl: Run, arguments: tuple[str, ...], code: int, message: str, mend: str | None
) -> None:
    hint = f"  hint: {mend}\n" if mend else ""
    assert mctl("create", *arguments) == Ran(code, "", f"Error: {message}\n{hint}")


def test_a_host_whose_key_is_to_be_trusted_must_show_one(mctl: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    ran = mctl("create", "web", *GENERIC, "--generic-ssh-port", port, "--ssh-host-key", "accept-new")
    assert ran == Ran(
        3,
        "",
        f"Error: [127.0.0.1]:{port} does not answer as an SSH server: "
        f"ssh: connect to host 127.0.0.1 port {port}: Connection refused\n"
        f"  hint: check the address, and that this works: ssh -p {port} root@127.0.0.1\n",
    )


def test_a_host_that_does_not_answer_is_named(mctl: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
    ran = mctl("create", "web", *GENERIC, "--generic-ssh-port", port, "--ssh-host-key", HOST_KEY)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines() == [
        f"Error: can't reach [127.0.0.1]:{port}: ssh: connect to host 127.0.0.1 port {port}: Connection refused",
        f"  hint: check the address, and that this works: ssh -p {port} root@127.0.0.1",
    ]


@needs_qemu
@pytest.mark.parametrize(
    ("option", "value", "code", "message", "mend"),
    [
        ("memory", "10", 2, "memory must be a whole number of MiB from 256 to 4194304", "give another --qemu-memory"),
        ("cpus", "0", 2, "cpus must be a whole number of processors from 1 to 256", "give another --qemu-cpu-count"),
        ("ssh-user", "a b", 2, "'a b' is not a user's name such as mctl", "give another --qemu-ssh-user"),
        (
            "open-port",
            "70000",
            2,
            "--qemu-open-port '70000' is neither GUEST nor HOST:GUEST, ports from 1 to 65535",
            None,
        ),
        (
            "image",
            "/nowhere.qcow2",
            3,
            "there is no image /nowhere.qcow2",
            "name an image file or URL with --qemu-image",
        ),
        (
            "user-data",
            "/nowhere",
            3,
            "the user data /nowhere can't be read: No such file or directory",
            "put it back, or name a file that you can read with --user-data",
        ),
    ],
)
def test_a_vm_that_cannot_be_is_refused(
    mctl: Run, option: str, value: str, code: int, message: str, mend: str | None
) -> None:
    hint = f"  hint: {mend}\n" if mend else ""
    assert mctl("create", "web", f"--qemu-{option}", value) == Ran(code, "", f"Error: {message}\n{hint}")


@needs_qemu
def test_a_port_that_another_program_has_is_refused(mctl: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert mctl("create", "web", "--qemu-open-port", f"{port}:80") == Ran(
            3,
            "",
            f"Error: port {port} of this computer is taken\n"
            "  hint: end the program that listens on it, or choose another: --qemu-open-port PORT:80\n",
        )


@needs_qemu
def test_an_image_larger_than_the_disk_is_refused(mctl: Run, tmp_path: Path) -> None:
    image = tmp_path / "image.raw"
    with image.open("wb") as file:
        file.truncate(3 << 30)
    assert mctl("create", "web", "--qemu-image", str(image), "--qemu-disk", "2") == Ran(
        2,
        "",
        "Error: a disk of 2 GiB is smaller than its image. Give it at least 3 GiB\n"
        "  hint: give another --qemu-disk-size\n",
    )


def test_without_qemu_the_command_that_installs_it_is_named(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    ran = as_process("create", "web", variables={"PATH": str(programs)})
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.splitlines()[0].startswith("Error: qemu-system-")
    assert ran.err.splitlines()[1:] == ["  hint: install QEMU"]


def test_without_a_pulumi_engine_what_was_tried_is_listed(tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "ssh").symlink_to(shutil.which("true") or "")
    ran = as_process(
        *("create", "web", *GENERIC, "--ssh-host-key", HOST_KEY), variables={"PATH": str(programs), "MCTL_OFFLINE": "1"}
    )
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(
        "Error: the Pulumi engine can't be had (PATH: no pulumi; installed earlier: none; built earlier: none; "
        "official install: MCTL_OFFLINE is set; Go build: MCTL_OFFLINE is set)\n"
        "  hint: install Pulumi (https://www.pulumi.com/docs/install/), or Go "
    )


@pytest.mark.parametrize(("text", "key"), [("runtime: python\n", "name"), ("name: mctl\n", "runtime")])
def test_a_project_file_without_what_pulumi_needs_is_named(mctl: Run, text: str, key: str) -> None:
    Path("Pulumi.yaml").write_text(text)
    assert mctl("create", "web", *GENERIC) == Ran(
        2,
        "",
        f"Error: {os.getcwd()}/Pulumi.yaml has no `{key}`\n"
        "  hint: add `name: mctl` and `runtime: python`, or work in another folder\n",
    )
