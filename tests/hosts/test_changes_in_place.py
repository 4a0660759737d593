"""A machine that is changed in place, by the real program, while a container on it goes on."""

from __future__ import annotations

import re
import signal
import ssl
import subprocess

import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options, tiny_image

# A repository of the host's own, and a package in it: Debian's with another version and some change.
REPOSITORY = """
mkdir -p /srv/repo && cd /srv/repo && apt-get download -qq docker.io && mv docker.io_*.deb /srv/docker.io.deb
dpkg-deb -x /srv/docker.io.deb /srv/root && dpkg-deb -e /srv/docker.io.deb /srv/root/DEBIAN
echo 'deb [trusted=yes] file:/srv/repo ./' >/etc/apt/sources.list.d/own.list
"""
PACKAGE = """
set -e
cd /srv
sed -i 's/^Version: .*/Version: {version}/' root/DEBIAN/control
{change}
dpkg-deb -Znone --build root repo/{version}.deb >/dev/null
{{ dpkg-deb --field repo/{version}.deb
  printf 'Filename: ./{version}.deb\\nSize: %s\\nSHA256: %s\\n\\n' \\
    "$(stat -c %s repo/{version}.deb)" "$(sha256sum repo/{version}.deb | cut -d' ' -f1)"; }} >>repo/Packages
"""
BROKEN = """#!/bin/sh
[ "$1" = --version ] && echo "Docker version 99.0, build x" && exit
echo "failed to start daemon: it is broken"
exit 1
"""
# Debian's package deletes what Docker keeps when it is purged, by a script that it leaves for that.
PURGE = """
apt-get -qq remove -y --allow-change-held-packages docker.io >/dev/null 2>&1
rm -f /var/lib/docker/nuke-graph-directory.sh
apt-get -qq purge -y docker.io >/dev/null 2>&1
! command -v dockerd
"""
# A script of the package that waits, and leaves its process group, as long as it is told to.
WAITS = """
script=root/DEBIAN/{part}; touch /srv/wait; rm -f /srv/group
sed -i '/srv.wait/d' root/DEBIAN/*inst
[ -e $script ] || echo '#!/bin/sh' >$script
sed -i '1a if [ -e /srv/wait ]; then cut -d" " -f5 /proc/$$/stat >/srv/group; sleep 300; fi' $script
chmod 755 $script
"""
RESTARTS = "box: restarts the engine (containers keep running)\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    """A shop with the machine `box` and a container on it."""
    shop = Shop(tmp_path_factory.mktemp("changes"))
    ran = shop.mctl("create", "box", *options(host), "--engine-label", "tier=web")
    assert ran.code == 0, ran.err
    shop.docker("--context", "box", "import", "-", "tiny", stdin=tiny_image())
    shop.docker("--context", "box", "run", "-d", "--name", "kept", "--network", "none", "tiny", "/bin/sleep", "6000")
    return shop


@pytest.fixture(scope="module")
def since(shop: Shop, host: ContainerHost) -> str:
    """When the container was started."""
    return started(host)


def started(host: ContainerHost) -> str:
    return host.exec("docker inspect --format '{{.State.StartedAt}} {{.State.Running}}' kept")


def declared(shop: Shop) -> str:
    return (shop.home / "Pulumi.box.yaml").read_text()


def names_in_certificate(host: ContainerHost) -> str:
    return subprocess.run(
        ["openssl", "x509", "-noout", "-subject", "-ext", "subjectAltName"],
        input=ssl.get_server_certificate((host.address, 2376)),
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_set_says_what_it_would_do_and_changes_nothing_until_it_may(shop: Shop) -> None:
    before = declared(shop)
    change = ("set", "box", "--engine-label", "tier=db")
    assert shop.mctl(*change, "--dry-run") == (0, RESTARTS, "")
    ran = shop.mctl(*change)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        f"{RESTARTS}Are you sure? (y/n): \nError: nobody answers, so nothing was done\n  hint: mctl set box --yes …\n"
    )
    assert declared(shop) == before
    assert shop.mctl("set", "box", "--engine-label", "tier=web") == (0, 'Machine "box" is set so already.\n', "")


def test_set_changes_labels_and_names_and_clears_them(shop: Shop, host: ContainerHost, since: str) -> None:
    ran = shop.mctl("set", "box", "--yes", "--engine-label", "tier=db", "--tls-san", "box.example")
    assert (ran.code, ran.out) == (0, 'Machine "box" was changed.\n'), ran.err
    assert ran.err.startswith(RESTARTS)
    assert "DNS:box.example" in names_in_certificate(host)
    assert "tier=db" in shop.docker("--context", "box", "info", "--format", "{{.Labels}}")
    assert shop.inspect("box")["labels"] == {"tier": "db"}
    assert shop.mctl("set", "box", "-y", "--engine-label", "", "--tls-san", "").code == 0
    assert shop.docker("--context", "box", "info", "--format", "{{.Labels}}") == "[provider=generic]"
    assert "tls_sans" not in declared(shop)
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert started(host) == since


def test_what_set_cannot_mean_is_refused_and_leaves_the_declaration(shop: Shop) -> None:
    before = declared(shop)
    assert shop.mctl("set", "box", "--ssh-port", "0", "--engine-version", "newest") == (
        2,
        "",
        "Error: --engine-version 'newest' is not a version such as 27 or 27.3.1\n",
    )
    assert shop.mctl("set", "none", "--engine-label", "a=b") == (
        4,
        "",
        'Error: machine "none" does not exist\n  hint: mctl ls, or mctl create none\n',
    )
    assert declared(shop) == before


def test_provision_mends_what_was_deleted_and_switched_off(shop: Shop, host: ContainerHost, since: str) -> None:
    host.exec("rm /etc/docker/*.pem /etc/systemd/system/docker.service.d/10-mctl.conf")
    before = declared(shop)
    ran = shop.mctl("provision", "box")
    assert (ran.code, ran.out) == (0, 'Machine "box" was provisioned.\n'), ran.err
    assert started(host) == since
    assert shop.mctl("status", "box").out == "Running\n"
    host.exec("systemctl stop docker.socket docker; systemctl disable docker")
    assert shop.mctl("provision", "box").code == 0
    assert host.exec("systemctl is-enabled docker") == "enabled"
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}")
    assert declared(shop) == before
    assert shop.mctl("preview", "box").out == "no changes\n"
    shop.docker("--context", "box", "start", "kept")


def test_upgrade_of_the_newest_says_so_and_pins_a_version_that_is_asked_for(shop: Shop, host: ContainerHost) -> None:
    version = shop.inspect("box")["engine_version"]
    newest = f'Machine "box" has Docker {version} already, the newest.\n'
    assert shop.mctl("upgrade", "box")[:2] == (0, newest)
    ran = shop.mctl("upgrade", "box", "--engine-version", "99")
    assert (ran.code, ran.out) == (1, "")
    said = f"Error: there is no version 99 of docker.io for Debian GNU/Linux 12 (bookworm); there is: {version}"
    assert said in ran.err
    assert "version:" not in declared(shop)
    assert shop.mctl("upgrade", "box", "--engine-version", "20")[:2] == (0, newest)
    assert re.search(r"version: '?20'?", declared(shop))
    assert shop.mctl("preview", "box").out == "no changes\n"


def test_upgrade_brings_the_newest_of_the_pinned_and_the_container_goes_on(shop: Shop, host: ContainerHost) -> None:
    version, since = shop.inspect("box")["engine_version"], started(host)
    newer = version.replace("20.10.2", "20.10.9")
    host.exec(REPOSITORY)
    host.exec(PACKAGE.format(version=newer, change=f"sed -i 's/{version}/{newer}/g' root/usr/sbin/dockerd"))
    ran = shop.mctl("upgrade", "box")
    assert (ran.code, ran.out) == (0, f"Docker {version} -> {newer} on box\n"), ran.err
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}") == newer
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert started(host) == since


@pytest.mark.parametrize(
    ("part", "state", "patch"), [("preinst", "half-installed", "95"), ("postinst", "half-configured", "96")]
)
def test_an_upgrade_that_is_killed_while_dpkg_works_is_finished_by_the_same(
    shop: Shop, host: ContainerHost, part: str, state: str, patch: str
) -> None:
    version, since = shop.inspect("box")["engine_version"], started(host)
    newer = re.sub(r"^20\.10\.9\d", f"20.10.{patch}", version)
    change = f"sed -i 's/{version}/{newer}/g' root/usr/sbin/dockerd\n{WAITS.format(part=part)}"
    host.exec(PACKAGE.format(version=newer, change=change))
    run = shop.start("upgrade", "box")
    host.exec("timeout 120 sh -c 'until [ -s /srv/group ]; do sleep 0.2; done'")
    run.send_signal(signal.SIGKILL)
    host.exec('rm /srv/wait && kill -s KILL -- "-$(cat /srv/group)"')
    run.communicate(timeout=60)
    assert host.exec("dpkg-query -W -f '${db:Status-Status}' docker.io") == state
    ran = shop.mctl("upgrade", "box")
    assert ran.code == 0, ran.err
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}") == newer
    assert shop.inspect("box")["engine_version"] == newer
    assert host.exec("dpkg --audit; ls -A /etc/docker | grep -E 'upgrading|installing|restart-due' || true") == ""
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert started(host) == since


def test_a_version_that_does_not_start_is_taken_back_and_was_never_declared(shop: Shop, host: ContainerHost) -> None:
    version, since, before = shop.inspect("box")["engine_version"], started(host), declared(shop)
    packages = host.exec("dpkg-query -W docker.io")
    host.exec(PACKAGE.format(version="99.0", change=f"cat >root/usr/sbin/dockerd <<'END'\n{BROKEN}END"))
    ran = shop.mctl("upgrade", "box", "--engine-version", "99")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith(
        f"Error: Docker 99.0 does not start: failed to start daemon: it is broken; Docker {version} runs again\n"
        "  hint: see why with: mctl ssh box sudo journalctl -u docker\n"
    )
    assert host.exec("dpkg-query -W docker.io") == packages
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}") == version
    assert declared(shop) == before
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert started(host) == since
    assert host.exec("ls -A /etc/docker | grep -E 'resting|fresh|upgrading|installing|restart-due' || true") == ""


def test_provision_brings_back_an_engine_that_was_purged_and_finds_the_containers(
    shop: Shop, host: ContainerHost
) -> None:
    version = shop.inspect("box")["engine_version"]
    host.exec(PURGE)
    ran = shop.mctl("provision", "box")
    assert (ran.code, ran.out) == (0, 'Machine "box" was provisioned.\n'), ran.err
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}") == version
    assert shop.docker("--context", "box", "ps", "--all", "--format", "{{.Names}} {{.Image}}") == "kept tiny"
    shop.docker("--context", "box", "start", "kept")
    assert shop.mctl("preview", "box").out == "no changes\n"


def test_rename_keeps_all_but_the_name_and_a_killed_one_is_finished_by_the_same(
    shop: Shop, host: ContainerHost
) -> None:
    since, keys = started(host), (shop.home / "machines" / "box" / "key.pem").read_text()
    created = shop.inspect("box")["created"]
    shop.docker("context", "use", "box")
    run = shop.start("rename", "box", "crate")
    assert run.stdout is not None
    for line in run.stdout:
        if "restarting Docker Engine" in line:
            break
    run.send_signal(signal.SIGKILL)
    run.communicate(timeout=60)
    assert "formerly: box" in declared(shop)
    ran = shop.mctl("rename", "box", "crate")
    assert (ran.code, ran.out) == (0, 'Machine "box" is now "crate".\n'), ran.err
    assert "formerly" not in declared(shop)
    assert shop.mctl("ls", "-q").out == "crate\n"
    assert shop.contexts() == ["crate"]
    assert "crate true" in shop.docker("context", "ls", "--format", "{{.Name}} {{.Current}}").splitlines()
    assert shop.inspect("crate")["created"] == created
    assert (shop.home / "machines" / "crate" / "key.pem").read_text() == keys
    assert "DNS:crate" in names_in_certificate(host)
    assert shop.docker("--context", "crate", "ps", "--format", "{{.Names}}") == "kept"
    assert started(host) == since
    assert shop.mctl("ssh", "crate", "true").code == 0
    assert shop.mctl("preview", "crate").out == "no changes\n"


def test_a_name_that_is_taken_or_none_is_refused(shop: Shop) -> None:
    assert shop.mctl("rename", "crate", "crate") == (
        1,
        "",
        'Error: machine "crate" already exists\n  hint: choose another name, or remove it: mctl rm crate\n',
    )
    assert shop.mctl("rename", "box", "other").code == 4
    assert shop.mctl("rename", "crate", "a_b").code == 2


def test_rm_of_the_renamed_leaves_nothing(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("rm", "-y", "crate") == (0, "Successfully removed crate\n", "")
    assert shop.left() == []
    assert started(host).endswith("true")
