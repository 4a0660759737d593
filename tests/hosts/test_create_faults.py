"""Hosts that are not as they should be: one clear error each, and a create or an rm that gets out of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options

MEND = "mctl create box … once more goes on from here; mctl rm box clears it"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def new_key(folder: Path) -> Path:
    key = folder / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return key


def errors(said: str) -> list[str]:
    """Give what follows the progress: the error and its hint."""
    return [line for line in said.splitlines() if line.startswith(("Error: ", "  hint: "))]


def test_a_key_that_the_host_does_not_know_is_refused_before_anything_is_made(shop: Shop, host: ContainerHost) -> None:
    key = new_key(shop.folder)
    assert shop.mctl("create", "box", *options(host), "--generic-ssh-key", str(key)) == (
        3,
        "",
        f"Error: root@{host.address} does not accept the SSH key {key}\n"
        "  hint: add its public half to ~root/.ssh/authorized_keys there, or name another with --generic-ssh-key\n",
    )
    assert shop.left() == []


def test_another_host_key_than_the_known_one_is_refused_before_anything_is_made(
    shop: Shop, host: ContainerHost
) -> None:
    other = Path(f"{new_key(shop.folder)}.pub").read_text().strip()
    assert shop.mctl("create", "box", *options(host), "--ssh-host-key", other) == (
        3,
        "",
        f"Error: {host.address} shows another SSH host key than the one that is known\n"
        "  hint: find out why before you go on; if the host was reinstalled, give its new key with --ssh-host-key\n",
    )
    assert shop.left() == []


def test_a_host_key_that_changed_since_stops_an_up(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("create", "box", *options(host)).code == 0
    declared = shop.home / "Pulumi.box.yaml"
    kind, key = Path(f"{new_key(shop.folder)}.pub").read_text().split()[:2]
    declared.write_text(declared.read_text().replace(host.host_key, f"{kind} {key}"))
    ran = shop.mctl("up", "box")
    assert (ran.code, ran.out) == (1, "")
    assert "host key mismatch" in ran.err
    assert "Traceback" not in ran.err
    assert shop.mctl("rm", "-y", "box").code == 0
    assert shop.left() == []


def test_an_unknown_host_key_is_trusted_only_when_asked_to_and_pinned_from_then_on(
    shop: Shop, host: ContainerHost
) -> None:
    given = list(options(host))
    given[given.index("--ssh-host-key") + 1] = "accept-new"
    ran = shop.mctl("create", "box", *given)
    assert ran.code == 0, ran.err
    assert shop.inspect("box")["ssh_host_key"] == host.host_key
    assert host.host_key in (shop.home / "Pulumi.box.yaml").read_text()
    assert shop.mctl("rm", "-y", "box").code == 0


def test_an_option_that_dockerd_refuses_is_told_and_another_one_finishes(shop: Shop, host: ContainerHost) -> None:
    ran = shop.mctl("create", "box", *options(host), "--engine-opt", "no-such-flag=1")
    assert (ran.code, ran.out) == (1, "")
    error, hint = errors(ran.err)
    assert error.startswith("Error: Docker Engine does not start: ")
    assert "no-such-flag" in error
    assert "mctl ssh box sudo journalctl -u docker" in hint
    ran = shop.mctl("create", "box", *options(host))
    assert ran.code == 0, ran.err
    assert shop.mctl("rm", "-y", "box").code == 0
    assert shop.left() == []


def test_an_unknown_system_is_named_and_rm_clears_the_try(shop: Shop, bare_host: ContainerHost) -> None:
    bare_host.write("/etc/os-release", 'ID=plan9\nPRETTY_NAME="Plan 9"\n')
    ran = shop.mctl("create", "box", *options(bare_host))
    assert (ran.code, ran.out) == (1, "")
    assert errors(ran.err) == [
        "Error: Plan 9 is not a system that Docker can be installed on from here: Debian, Ubuntu, Fedora, the RHEL "
        "family, SUSE, Arch and Alpine are",
        "  hint: install Docker there yourself and use --engine-install none",
    ]
    assert shop.mctl("rm", "-y", "box") == (0, "Successfully removed box\n", "")
    assert shop.left() == []


def test_an_apt_that_fails_is_told_with_its_words_and_create_again_finishes_once_it_works(
    shop: Shop, bare_host: ContainerHost
) -> None:
    bare_host.exec("mkdir /kept; mv /etc/apt/sources.list /var/cache/apt/archives/docker.io_*.deb /kept; apt-get clean")
    ran = shop.mctl("create", "box", *options(bare_host))
    assert (ran.code, ran.out) == (1, "")
    error, hint = errors(ran.err)
    assert error.startswith("Error: docker.io can't be installed on Debian GNU/Linux 12 (bookworm): E: ")
    assert hint.startswith("  hint: mend the host's package sources (mctl ssh box sudo cat ")
    bare_host.exec("mv /kept/sources.list /etc/apt/; mv /kept/*.deb /var/cache/apt/archives/")
    ran = shop.mctl("create", "box", *options(bare_host))
    assert ran.code == 0, ran.err
    assert shop.mctl("rm", "-y", "box").code == 0


def test_a_user_without_sudo_is_told_so(shop: Shop, bare_host: ContainerHost) -> None:
    ran = shop.mctl("create", "box", *options(bare_host, "guest"))
    assert (ran.code, ran.out) == (1, "")
    error, _hint = errors(ran.err)
    assert error == "Error: the user guest is not root and can't use sudo without a password"
    assert shop.mctl("rm", "-y", "box").code == 0


def test_a_state_that_a_full_disk_cut_off_comes_back_and_the_next_up_goes_on(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("create", "box", *options(host)).code == 0
    stacks = shop.home / "state" / ".pulumi" / "stacks" / "mctl"
    for name in ("box.json", "box.json.bak"):  # what the engine leaves when it can't write more than a block
        os.truncate(stacks / name, 512)
    declared = shop.home / "Pulumi.box.yaml"
    declared.write_text(f"{declared.read_text()}      tls_sans: [x.example]\n")
    ran = shop.mctl("up", "box")
    assert ran.code == 0, ran.err
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert shop.mctl("rm", "-y", "box").code == 0
    assert shop.left() == []
