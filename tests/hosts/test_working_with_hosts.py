"""Two hosts, `near` and behind it `far`, which accepts SSH from `near` alone: made, provisioned, and worked with."""

from __future__ import annotations

import json
import os
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.machine import EngineSpec
from tests.container_hosts import ContainerHost, ContainerHosts
from tests.hosts.rig import Rig
from tests.hosts.shop import Shop, options

Pair = tuple[ContainerHost, ContainerHost]
SCRIPT = (
    '#!/bin/sh -e\nread -r line || line=nothing\nprintf "%s says\\n%s\\n" "$(id -un)" "$line"\necho {} >>/root/ran\n'
)
FUSE = os.access("/dev/fuse", os.R_OK | os.W_OK)


@pytest.fixture(scope="module")
def pair(hosts: ContainerHosts) -> Iterator[Pair]:
    near, far = hosts.start(docker_installed=True), hosts.start(docker_installed=True)
    far.exec(f"iptables -A INPUT -i eth0 -p tcp --syn ! -s {near.address} -j REJECT --reject-with tcp-reset")
    yield near, far
    for host in (near, far):
        hosts.remove(host)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="module")
def near(shop: Shop, pair: Pair) -> Shop:
    """The shop with the machine `near`, whose first script failed once."""
    host = pair[0]
    before = host.exec("cat /var/log/dpkg.log | wc -l")
    scripts = {name: shop.folder / name for name in ("first.sh", "second.sh")}
    scripts["first.sh"].write_text("echo one\necho two >&2\nexit 7\n")
    scripts["second.sh"].write_text(SCRIPT.format("second"))
    create = ["create", "near", *options(host, "deploy"), "--engine-install", "none"]
    create += ["--provision-script", "first.sh", "--provision-script", str(scripts["second.sh"])]
    ran = shop.mctl(*create)
    assert (ran.code, ran.out) == (1, "")
    assert "(near) first.sh: one\n(near) first.sh: two\n" in ran.err
    assert ran.err.endswith(
        "Error: first.sh failed on the host with exit code 7: one | two\n"
        "  hint: mend first.sh and run the same command again; all it said: "
        "mctl ssh near sudo cat /var/log/mctl-provision.log\n"
    )
    assert host.exec("cat /root/ran", check=False) == ""
    scripts["first.sh"].write_text(SCRIPT.format("first"))
    ran = shop.mctl(*create)
    assert ran.code == 0, ran.err
    assert "(near) first.sh: root says\n(near) first.sh: nothing\n" in ran.err
    assert host.exec("cat /root/ran") == "first\nsecond"
    assert host.exec("cat /var/log/dpkg.log | wc -l") == before
    return shop


@pytest.fixture(scope="module")
def both(near: Shop, pair: Pair) -> Shop:
    """The shop with the machine `far` too; it trusts the keys of bastion and host on first use."""
    bastion, host = pair
    ran = near.mctl(
        *("create", "far", *options(host), "--ssh-host-key", "accept-new"),
        *("--ssh-proxy-jump", f"guest@{bastion.address}"),
        *("--ssh-proxy-key", str(bastion.private_key), "--ssh-proxy-host-key", "accept-new"),
    )
    assert ran.code == 0, ran.err
    assert ran.err.endswith(
        "It needs a route to the machine; without one, forward the port: mctl ssh far -N -L 2376:localhost:2376, "
        "and set DOCKER_HOST=tcp://localhost:2376 after mctl env far\n"
    )
    return near


def test_a_script_runs_again_when_it_changes_and_the_others_do_not(near: Shop, pair: Pair) -> None:
    assert near.mctl("preview", "near").out == "no changes\n"
    script = near.folder / "second.sh"
    script.write_text(SCRIPT.format("changed"))
    ran = near.mctl("up", "near")
    assert ran.code == 0, ran.err
    assert pair[0].exec("cat /root/ran") == "first\nsecond\nchanged"
    script.rename(near.folder / "lost.sh")
    assert near.mctl("up", "near") == (
        3,
        "",
        f"Error: the script {script} can't be read: No such file or directory\n"
        "  hint: put it back, or name a file that you can read with --provision-script\n",
    )
    declared = near.home / "Pulumi.near.yaml"
    text = declared.read_text()
    declared.write_text(f"{text.rstrip()}\n      running: false\n")
    assert near.mctl("preview", "near").out == "no changes\n", "what is switched off needs no script"
    declared.write_text(text)
    (near.folder / "lost.sh").rename(script)


def test_a_scripts_text_is_in_no_clear_text_of_the_stack(near: Shop) -> None:
    files = [file for file in (near.home / "state").rglob("*") if file.is_file()]
    assert files
    assert [str(file) for file in files if b"/root/ran" in file.read_bytes()] == []


def test_everything_that_is_ssh_goes_through_the_bastion(both: Shop, pair: Pair) -> None:
    bastion, host = pair
    assert host.ssh("true").returncode == 255
    declared = (both.home / "Pulumi.far.yaml").read_text()
    assert f"ssh_proxy_jump: guest@{bastion.address}:22" in declared
    assert f"ssh_proxy_host_key: {bastion.host_key}" in declared
    assert f"ssh_host_key: {host.host_key}" in declared
    assert both.mctl("ssh", "far", "echo", "'a b'", "&&", "exit", "7") == (7, "a b\n", "")
    assert both.mctl("status", "far").out == "Running\n"
    version = host.exec("docker version --format '{{.Server.Version}}'")
    row = next(line for line in both.mctl("ls").out.splitlines() if line.startswith("far"))
    assert f"v{version}" in row or version in row
    assert both.mctl("up", "far").code == 0


def test_the_port_that_ssh_forwards_answers_dockers_tls(both: Shop) -> None:
    folder = both.home / "machines" / "far"
    client = ["docker", "-H", "tcp://localhost:23760", "--tlsverify", f"--tlscacert={folder}/ca.pem"]
    client += [f"--tlscert={folder}/cert.pem", f"--tlskey={folder}/key.pem", "version", "-f", "{{.Server.Version}}"]
    forward = both.start("ssh", "far", "-N", "-L", "23760:localhost:2376", "-o", "ExitOnForwardFailure=yes")
    try:
        for _ in range(100):
            asked = subprocess.run(client, capture_output=True, text=True, check=False, timeout=60)
            if asked.returncode == 0 or forward.poll() is not None:
                break
        assert re.fullmatch(r"[\d.]+\S*\n", asked.stdout), asked.stderr
    finally:
        forward.terminate()
        forward.wait()


def test_a_bastion_that_shows_another_key_is_refused(both: Shop, pair: Pair) -> None:
    bastion, host = pair
    ran = both.mctl(
        *("create", "other", *options(host), "--ssh-proxy-jump", f"guest@{bastion.address}"),
        *("--ssh-proxy-key", str(bastion.private_key), "--ssh-proxy-host-key", host.host_key),
    )
    assert ran == (
        3,
        "",
        f"Error: {bastion.address} shows another SSH host key than the one that is known\n"
        "  hint: find out why before you go on; if the host was reinstalled, give its new key with "
        "--ssh-proxy-host-key\n",
    )


def test_scp_copies_to_from_and_between_machines(both: Shop, pair: Pair) -> None:
    (both.folder / "tree").mkdir()
    (both.folder / "tree" / "a:b").write_text("one\n")
    assert both.mctl("scp", "-q", "-r", "tree", "far:/root/") == (0, "", "")
    assert pair[1].exec("cat /root/tree/a:b") == "one"
    assert both.mctl("scp", "-q", "-r", "far:/root/tree", "guest@near:") == (0, "", "")
    assert pair[0].exec("stat -c %U /home/guest/tree/a:b; cat /home/guest/tree/a:b") == "guest\none"
    assert both.mctl("scp", "-q", "near:/etc/hostname", "localhost:./back:here") == (0, "", "")
    assert (both.folder / "back:here").read_text() == f"{pair[0].container}\n"
    missing = both.mctl("scp", "near:/nowhere", ".")
    assert (missing.code, missing.out) == (1, "")
    assert "/nowhere" in missing.err


@pytest.mark.skipif(not os.path.exists("/usr/bin/rsync"), reason="rsync is not installed")
def test_delta_sends_with_rsync_through_the_same_config(both: Shop, pair: Pair) -> None:
    pair[1].exec("apt-get install -y -qq rsync || { apt-get update -qq && apt-get install -y -qq rsync; }")
    (both.folder / "site").mkdir()
    (both.folder / "site" / "index").write_text("hello\n")
    ran = both.mctl("scp", "-d", "-q", "-r", "site", "far:/srv")
    assert ran == (0, "", "")
    assert pair[1].exec("cat /srv/site/index") == "hello"
    assert "index" in both.mctl("scp", "--delta", "far:/srv/site/index", "got").out
    assert (both.folder / "got").read_text() == "hello\n"
    assert both.mctl("scp", "-d", "far:/nowhere", "got").code == 23


def test_plain_ssh_reaches_machines_by_what_ssh_config_prints_and_keeps(both: Shop, pair: Pair) -> None:
    printed = both.folder / "printed"
    printed.write_text(both.mctl("ssh-config", "far").out)
    assert plain_ssh(printed, "far", "hostname") == f"{pair[1].container}\n"
    path = both.home / "ssh_config"
    assert both.mctl("ssh-config", "--write") == (
        0,
        f"{path}\n",
        f'Once, put this line at the top of ~/.ssh/config:\nInclude "{path}"\n',
    )
    assert path.stat().st_mode & 0o777 == 0o600
    own = both.folder / "own"
    own.write_text(f'Include "{path}"\nHost *\n  User nobody\n')
    for name, host in zip(("near", "far"), pair, strict=True):
        assert plain_ssh(own, name, "hostname") == f"{host.container}\n"
    asked = subprocess.run(
        ["docker", "-H", "ssh://far", "version", "--format", "{{.Server.Version}}"],
        env=os.environ | {"PATH": f"{ssh_that_reads(own)}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert asked.stdout.strip() == pair[1].exec("docker version --format '{{.Server.Version}}'"), asked.stderr
    names = json.loads(both.mctl("ssh-config", "--json").out)
    assert {name: settings["HostName"] for name, settings in names.items()} == {
        "near": pair[0].address,
        "far": pair[1].address,
    }


@pytest.mark.skipif(not FUSE or not os.path.exists("/usr/bin/sshfs"), reason="needs sshfs and /dev/fuse")
def test_mount_shows_a_machines_folder_here_until_it_is_unmounted(both: Shop, pair: Pair) -> None:
    here = both.folder / "mounted"
    here.mkdir()
    pair[1].exec("mkdir -p /srv/shared && echo hello >/srv/shared/there")
    assert both.mctl("mount", "far:/srv/shared", "mounted") == (0, "", "")
    try:
        assert (here / "there").read_text() == "hello\n"
        (here / "back").write_text("bye\n")
        assert pair[1].exec("cat /srv/shared/back") == "bye"
    finally:
        assert both.mctl("mount", "-u", "far:/srv/shared", "mounted") == (0, "", "")
    assert list(here.iterdir()) == []


def test_rm_takes_a_machine_out_of_the_kept_ssh_config(both: Shop) -> None:
    assert both.mctl("rm", "-y", "far").code == 0
    own = Path(both.home, "ssh_config")
    asked = subprocess.run(["ssh", "-G", "-F", own, "far"], capture_output=True, text=True, check=True)
    assert "hostname far\n" in asked.stdout
    assert both.mctl("rm", "-y", "near").code == 0
    own.unlink()
    assert both.left() == []


def test_a_real_apt_helper_goes_through_the_daemons_proxy(bare_host: ContainerHost, tmp_path: Path) -> None:
    """It refuses the way to docker.com, so the distribution's packages are taken."""
    asked: list[str] = []
    with proxy(asked) as port:
        gateway = bare_host.exec("ip route show default | cut -d ' ' -f 3")
        env = (f"HTTPS_PROXY=http://me:hunter2@{gateway}:{port}",)
        done = Rig(bare_host, tmp_path).install(EngineSpec(env=env))
    assert done.returncode == 0, done.stderr
    assert "CONNECT download.docker.com:443 HTTP/1." in asked[0]
    assert "the host can't reach download.docker.com: using the distribution's Docker packages" in done.stderr
    assert "hunter2" not in done.stderr


@contextmanager
def proxy(asked: list[str]) -> Iterator[int]:
    """Refuse every request, noting its first line."""

    class Refuse(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(self.rfile.readline().decode())
            self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with socketserver.ThreadingTCPServer(("", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def ssh_that_reads(config: Path) -> Path:
    """Make a folder for PATH whose ssh takes this for the user's own configuration."""
    folder = config.parent / "bin"
    folder.mkdir()
    (folder / "ssh").write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {config} "$@"\n')
    (folder / "ssh").chmod(0o755)
    return folder


def plain_ssh(config: Path, *arguments: str) -> str:
    done = subprocess.run(["ssh", "-F", config, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
