"""The Docker daemon that runs container hosts, and the image that they start from.

A daemon that is there is used; else one is started whose data stays in the user's cache folder, so that the image is
built once. Test runs share it: the last one stops it, if a test run started it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from platformdirs import user_cache_path

CACHE = user_cache_path("mctl") / "test-hosts"
RUN = Path("/run/mctl-test-hosts")
SOCKET = f"unix://{RUN}/docker.sock"
START_SECONDS = 60
SUITE = "bookworm"
PACKAGES = "systemd-sysv,dbus,openssh-server,sudo,ca-certificates,iproute2,netbase,procps"
# With lists and packages of Docker warm in apt's cache, as in the image of our own VMs, and without what systemd does
# for consoles, disks and kernel modules, which a container has not: many are started at once.
CUSTOMIZE = """\
set -eu
chroot "$1" apt-get install -y -qq --no-install-recommends --download-only docker.io iptables ca-certificates cloud-init
chroot "$1" systemctl -q mask apt-daily.timer apt-daily-upgrade.timer systemd-networkd-wait-online.service
chroot "$1" systemctl -q mask console-getty.service e2scrub_reap.service modprobe@.service
mkdir -p "$1/etc/systemd/system-generators"
for disk in cryptsetup fstab gpt-auto hibernate-resume integritysetup veritysetup; do
  ln -s /dev/null "$1/etc/systemd/system-generators/systemd-$disk-generator"
done
chroot "$1" useradd -m -s /bin/bash deploy
chroot "$1" useradd -m -s /bin/bash guest
echo 'deploy ALL=(ALL) NOPASSWD:ALL' >"$1/etc/sudoers.d/deploy"
rm -f "$1"/etc/ssh/ssh_host_*
"""
INSTALL_DOCKER = "apt-get install -y -qq --no-install-recommends docker.io iptables"
# A cloud's image: cloud-init reads its seed, and does of all it could do what a seed of ours may ask for.
CLOUD_CONFIG = """\
datasource_list: [NoCloud]
network: {config: disabled}
output: {all: '>>/var/log/cloud-init-output.log'}
cloud_init_modules: [write_files, set_hostname, users_groups, ssh]
cloud_config_modules: [runcmd]
cloud_final_modules: [scripts_user]
"""
# Its stages in one process, as cloud-init has them from 24.3 on: of four, most is Python's start. The service is up
# once the second has ended, and sshd waits for that.
CLOUD_STAGES = """\
#!/usr/bin/python3
import os, socket
from cloudinit.cmd.main import main
main(["cloud-init", "init", "--local"])
main(["cloud-init", "init"])
socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])
main(["cloud-init", "modules", "--mode=config"])
main(["cloud-init", "modules", "--mode=final"])
"""
CLOUD_SERVICE = """\
[Service]
Type=notify
ExecStart=
ExecStart=/usr/local/sbin/cloud-stages
"""
# Docker is in it, but does not start before mctl has configured it, as where mctl has installed it.
DOCKER_SERVICE = """\
[Unit]
ConditionPathExists=/etc/docker/server.pem
"""
INSTALL_CLOUD_INIT = f"""\
apt-get install -y -qq --no-install-recommends cloud-init
echo 'policy: enabled' >/etc/cloud/ds-identify.cfg
cat >/etc/cloud/cloud.cfg.d/99-test.cfg <<END
{CLOUD_CONFIG}END
cat >/usr/local/sbin/cloud-stages <<END
{CLOUD_STAGES}END
chmod 755 /usr/local/sbin/cloud-stages
mkdir /etc/systemd/system/cloud-init.service.d /etc/systemd/system/docker.service.d
cat >/etc/systemd/system/cloud-init.service.d/stages.conf <<END
{CLOUD_SERVICE}END
systemctl mask cloud-init-local.service cloud-config.service cloud-final.service
cat >/etc/systemd/system/docker.service.d/configured.conf <<END
{DOCKER_SERVICE}END
userdel --remove deploy
userdel --remove guest
"""


class NoContainers(Exception):  # noqa: N818 - it is a reason to skip, not a fault
    """Say why this computer can't run container hosts."""


@contextmanager
def daemon() -> Iterator[str]:
    """Give the address of a Docker daemon on this computer. Raises NoContainers."""
    if os.geteuid() != 0:
        raise NoContainers("container hosts need root")
    if not Path("/sys/fs/cgroup").is_mount():
        raise NoContainers("container hosts need /sys/fs/cgroup")
    if not shutil.which("docker"):
        raise NoContainers("container hosts need the docker client and daemon (Debian: docker.io, iptables)")
    if not os.environ.get("DOCKER_HOST") and _answers("unix:///var/run/docker.sock"):
        yield "unix:///var/run/docker.sock"
        return
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "users.lock").open("a") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        with _alone("daemon.lock"):
            if not _answers(SOCKET):
                _start()
        try:
            yield SOCKET
        finally:
            with _alone("daemon.lock"):
                _stop_unless_used(users.fileno())


def image(address: str, *, docker: bool, cloud: bool = False) -> str:
    """Give the image of a Debian 12 host with systemd and sshd, built where it is not there yet.

    docker: with Docker installed. cloud: with cloud-init besides, and no users until it has run.
    """
    recipe = hashlib.sha256(
        f"{PACKAGES}{CUSTOMIZE}{INSTALL_DOCKER}{INSTALL_CLOUD_INIT}{sources()}".encode()
    ).hexdigest()[:12]
    plain = f"mctl-test-host:{recipe}"
    with_docker, with_cloud_init = f"{plain}-docker", f"{plain}-cloud"
    CACHE.mkdir(parents=True, exist_ok=True)
    with _alone("image.lock"):
        if not _has(address, plain):
            _build(address, plain)
        if (docker or cloud) and not _has(address, with_docker):
            _build_with(address, plain, INSTALL_DOCKER, with_docker)
        if cloud and not _has(address, with_cloud_init):
            _build_with(address, with_docker, INSTALL_CLOUD_INIT, with_cloud_init)
    return with_cloud_init if cloud else with_docker if docker else plain


def sources() -> str:
    """Give apt's source lines: this computer's own mirror of Debian where it has one."""
    mirrors = {"debian": "http://deb.debian.org/debian", "debian-security": "http://deb.debian.org/debian-security"}
    for file in [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]:
        text = file.read_text() if file.is_file() else ""
        for url in re.findall(r"^(?:deb (?:\[[^]]*\] )?|URIs: *)(https?://\S+)", text, re.MULTILINE):
            kind = url.rstrip("/").rpartition("/")[2]
            mirrors |= {kind: url} if kind in mirrors else {}
    suites = {SUITE: "debian", f"{SUITE}-updates": "debian", f"{SUITE}-security": "debian-security"}
    return "".join(f"deb {mirrors[kind]} {suite} main\n" for suite, kind in suites.items())


def docker(address: str, *arguments: str, stdin: bytes | None = None, check: bool = True) -> str:
    """Run the docker client. Raises RuntimeError with what it said."""
    done = subprocess.run(["docker", "--host", address, *arguments], input=stdin, capture_output=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode(errors="replace").strip()


def _answers(address: str) -> bool:
    path = Path(address.removeprefix("unix://"))
    return path.exists() and bool(docker(address, "version", "--format", "{{.Server.Version}}", check=False))


def _has(address: str, name: str) -> bool:
    return bool(docker(address, "images", "--quiet", name))


def _build(address: str, name: str) -> None:
    if not shutil.which("mmdebstrap"):
        raise NoContainers("building the image of container hosts needs mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="mctl-host-") as folder:
        archive, customize = Path(folder, "root.tar"), Path(folder, "customize")
        customize.write_text("#!/bin/sh\n" + CUSTOMIZE)
        customize.chmod(0o755)
        command = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", "--skip=cleanup/apt"]
        command += [
            "--dpkgopt=force-unsafe-io",
            '--aptopt=Acquire::Languages "none"',
            f'--customize-hook={customize} "$1"',
        ]
        command += [SUITE, str(archive), "-"]
        done = subprocess.run(command, input=sources(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"building the image of container hosts failed:\n{done.stderr[-2000:]}")
        docker(address, "import", str(archive), name)


def _build_with(address: str, base: str, script: str, name: str) -> None:
    builder = f"mctl-test-host-build-{os.getpid()}"
    no_start = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod +x /usr/sbin/policy-rc.d\n"
    whole = f"{no_start}{script}\nrm /usr/sbin/policy-rc.d"
    try:
        docker(address, "run", "--name", builder, "--network", "none", base, "sh", "-euc", whole)
        docker(address, "commit", builder, name)
    finally:
        docker(address, "rm", "--force", builder, check=False)


def _start() -> None:
    RUN.mkdir(parents=True, exist_ok=True)
    command = ["dockerd", "--host", SOCKET, "--data-root", str(CACHE / "docker"), "--exec-root", str(RUN / "exec")]
    command += ["--pidfile", str(RUN / "dockerd.pid"), "--userland-proxy=false"]
    log = CACHE / "dockerd.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, stdin=subprocess.DEVNULL, start_new_session=True
        )
    (RUN / "started-by-tests").write_text(str(process.pid))
    deadline = time.monotonic() + START_SECONDS
    while not _answers(SOCKET):
        if process.poll() is not None or time.monotonic() > deadline:
            raise NoContainers(f"dockerd does not start here: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.2)


def _stop_unless_used(users: int) -> None:
    started = RUN / "started-by-tests"
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        pid = int(started.read_text())
    except (BlockingIOError, FileNotFoundError):
        return
    started.unlink()
    if _is_dockerd(pid):
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + START_SECONDS
        while _is_dockerd(pid) and time.monotonic() < deadline:
            time.sleep(0.1)


def _is_dockerd(pid: int) -> bool:
    with suppress(ChildProcessError):  # another test run may have started it
        os.waitpid(pid, os.WNOHANG)
    command = Path(f"/proc/{pid}/cmdline")
    return command.exists() and command.read_bytes().startswith(b"dockerd")


@contextmanager
def _alone(lock: str) -> Iterator[None]:
    with (CACHE / lock).open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
