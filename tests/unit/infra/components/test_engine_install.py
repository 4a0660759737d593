"""The install script against package managers that a Debian machine can't have, and against hostile values."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.components.engine_scripts import as_root, heredoc
from infra.components.engine_scripts.configure import configure_as_root
from infra.components.engine_scripts.install import install, install_as_root, proxies
from infra.components.engine_scripts.provision import provision_as_root
from infra.components.engine_scripts.upgrade import upgrade
from infra.machine import EngineSpec
from tests.unit.infra.components.scratch_host import ScratchHost

FEDORA = 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n'
ROCKY = 'ID=rocky\nID_LIKE="rhel centos fedora"\nPRETTY_NAME="Rocky Linux 9.5"\n'
SUSE = 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nPRETTY_NAME="openSUSE Leap 15.6"\n'
ARCH = 'ID=arch\nPRETTY_NAME="Arch Linux"\n'
ALPINE = 'ID=alpine\nPRETTY_NAME="Alpine Linux v3.22"\n'
UBUNTU = 'ID=ubuntu\nID_LIKE=debian\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=noble\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n'
MINT = 'ID=linuxmint\nID_LIKE="ubuntu debian"\nUBUNTU_CODENAME=noble\nVERSION_CODENAME=wilma\nPRETTY_NAME=Mint\n'
DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'
CE = "docker-ce docker-ce-cli containerd.io docker-buildx-plugin docker-compose-plugin"
# curl, as the script calls it: `-o FILE URL` are the last three words.
CURL = 'while [ $# -gt 3 ]; do shift; done; echo "$3" >>{root}/fetched; printf \'gpgcheck=1\\n\' >"$2"'


def host(tmp_path: Path, os_release: str, *, openrc: bool = False) -> ScratchHost:
    made = ScratchHost(tmp_path / "root", os_release)
    if openrc:
        made.program("rc-service", {})
    else:
        (made.root / "run/systemd/system").mkdir(parents=True)
    return made


def with_curl(made: ScratchHost) -> None:
    made.program("curl", {"'-fsSL --proto =https,http '*": CURL.format(root=made.root)})


def script(**spec: str) -> str:
    return install_as_root(EngineSpec(**spec), "box")  # type: ignore[arg-type]


def dnf(made: ScratchHost, versions: str = "") -> None:
    made.program(
        "dnf",
        {
            "'-q list --showduplicates docker-ce'*": f"printf '{versions}'",
            "'-q list '*": "true",
            "'-q -y install '*": made.installs_dockerd(),
        },
    )


@pytest.mark.parametrize(("os_release", "folder"), [(FEDORA, "fedora"), (ROCKY, "centos")])
def test_dnf_installs_from_docker_coms_signed_repository(tmp_path: Path, os_release: str, folder: str) -> None:
    made = host(tmp_path, os_release)
    with_curl(made)
    dnf(made)
    done = made.run(script(install="docker"))
    assert done.returncode == 0, done.stderr
    assert made.calls("dnf")[-1] == f"-q -y install {CE} iptables"
    assert made.read("fetched") == f"https://download.docker.com/linux/{folder}/docker-ce.repo\n"
    assert "gpgcheck=1" in made.read("etc/yum.repos.d/docker-ce.repo")


def test_dnf_pins_the_newest_version_with_the_prefix(tmp_path: Path) -> None:
    made = host(tmp_path, FEDORA)
    with_curl(made)
    rows = [f"docker-ce.x86_64 3:{v}-1.fc42 docker-ce-stable\\n" for v in ("26.1.4", "27.3.1", "27.5.0", "28.0.1")]
    dnf(made, "".join(rows))
    assert made.run(script(install="docker", version="27")).returncode == 0
    assert made.calls("dnf")[-1].startswith("-q -y install docker-ce-3:27.5.0-1.fc42 ")


def test_a_prefix_ends_where_a_number_ends(tmp_path: Path) -> None:
    made = host(tmp_path, FEDORA)
    with_curl(made)
    made.program(
        "dnf",
        {
            "'-q list --showduplicates docker-ce'": "echo docker-ce.x86_64 3:27.30.1-1.fc42 docker-ce-stable",
            "'-q list '*": "true",
            "'-q -y makecache'": "true",
        },
    )
    done = made.run(script(install="docker", version="27.3"))
    assert done.returncode == 1
    assert (
        "mctl-error: there is no version 27.3 of docker-ce for Fedora Linux 42; there is: 27.30.1-1.fc42" in done.stderr
    )


def test_fedoras_own_package_is_moby_engine(tmp_path: Path) -> None:
    made = host(tmp_path, FEDORA)
    dnf(made)
    assert made.run(script(install="distro")).returncode == 0
    assert made.calls("dnf")[-1] == "-q -y install moby-engine docker-cli iptables"


def test_a_repository_file_without_signatures_is_refused(tmp_path: Path) -> None:
    made = host(tmp_path, FEDORA)
    made.program("curl", {"'-fsSL --proto =https,http '*": 'while [ $# -gt 3 ]; do shift; done; echo >"$2"'})
    dnf(made)
    done = made.run(script(install="docker"))
    assert done.returncode == 1
    assert "does not ask for signed packages" in done.stderr
    assert not (made.root / "etc/yum.repos.d/docker-ce.repo").exists()


def test_suse_has_the_distributions_docker_and_says_so(tmp_path: Path) -> None:
    made = host(tmp_path, SUSE)
    made.program(
        "zypper",
        {
            "'--non-interactive --quiet --no-refresh search --match-exact docker'": "true",
            "'--non-interactive --quiet search --details --match-exact docker'": (
                "printf '  | docker | package | 27.5.1_ce-1.1 | x86_64 | Update\\n"
                "  | docker | package | 24.0.7_ce-1.1 | x86_64 | Main\\n'"
            ),
            "'--non-interactive --quiet install --no-recommends --oldpackage docker'*": made.installs_dockerd(),
        },
    )
    done = made.run(script(install="docker", version="24"))
    assert done.returncode == 0, done.stderr
    assert "mctl-notice: docker.com has no packages for openSUSE Leap 15.6: using the distribution's" in done.stderr
    assert made.calls("zypper")[-1].endswith("--oldpackage docker=24.0.7_ce-1.1 iptables ca-certificates")


def test_arch_refreshes_and_tries_again_when_a_package_has_gone(tmp_path: Path) -> None:
    made = host(tmp_path, ARCH)
    appears = made.installs_dockerd()
    made.program(
        "pacman",
        {
            "'-Si docker'": "echo 'Version         : 1:28.2.2-1'",
            "'-S --noconfirm --needed docker iptables'": (
                f"[ -e {made.root}/fresh ] || {{ echo 'error: failed retrieving file'; exit 1; }}; {appears}"
            ),
            "'-Sy --noconfirm'": f": >{made.root}/fresh",
        },
    )
    done = made.run(script())
    assert done.returncode == 0, done.stderr
    assert [call.split()[0] for call in made.calls("pacman")] == ["-Si", "-S", "-Sy", "-S"]


def test_alpine_installs_with_apk_under_openrc(tmp_path: Path) -> None:
    made = host(tmp_path, ALPINE, openrc=True)
    made.program(
        "apk",
        {
            "'policy docker'": "printf 'docker policy:\\n  28.3.3-r1:\\n    https://dl.example.test/community\\n'",
            "'add --no-interactive docker=28.3.3-r1 iptables ca-certificates'": made.installs_dockerd("28.3.3"),
        },
    )
    done = made.run(script(version="28"))
    assert done.returncode == 0, done.stderr
    assert not (made.root / "usr/sbin/policy-rc.d").exists()


def apt(made: ScratchHost) -> None:
    candidate = "echo '  Candidate: 5:27.5.1-1'"
    made.program(
        "apt-cache",
        {
            "'policy docker-ce'": f"if [ -e {made.root}/fresh ]; then {candidate}; fi",
            "'policy '*": candidate,
            "'madison docker-ce'*": "printf ' docker-ce | 5:27.5.1-1 | x\\n docker-ce | 5:26.1.4-1 | x\\n'",
            "'madison '*": "echo ' other | 1.7.20-1 | x'",
        },
    )
    made.program("apt-get", {"*' update'": f": >{made.root}/fresh", "*' install -y '*": made.installs_dockerd()})
    made.program("apt-mark", {"'hold docker-ce'": "true"})
    made.program("dpkg", {"--print-architecture": "echo amd64"})


@pytest.mark.parametrize(
    ("os_release", "suite"), [(DEBIAN, "debian bookworm"), (UBUNTU, "ubuntu noble"), (MINT, "ubuntu noble")]
)
def test_apt_installs_from_docker_coms_signed_repository(tmp_path: Path, os_release: str, suite: str) -> None:
    made = host(tmp_path, os_release)
    with_curl(made)
    apt(made)
    done = made.run(script(version="26"))
    assert done.returncode == 0, done.stderr
    key = made.root / "etc/apt/keyrings/docker.asc"
    line = made.read("etc/apt/sources.list.d/docker.list").replace(str(made.root), "")
    assert (
        line
        == f"deb [arch=amd64 signed-by=/etc/apt/keyrings/docker.asc] https://download.docker.com/linux/{suite} stable\n"
    )
    assert key.stat().st_mode & 0o777 == 0o644
    distribution, codename = suite.split()
    assert made.read("fetched").splitlines() == [
        f"https://download.docker.com/linux/{distribution}/dists/{codename}/Release",
        f"https://download.docker.com/linux/{distribution}/gpg",
    ]
    assert " docker-ce=5:26.1.4-1 docker-ce-cli=5:26.1.4-1 containerd.io " in made.calls("apt-get")[-1]
    assert made.calls("apt-mark") == ["hold docker-ce"]


@pytest.mark.parametrize(
    ("kernel", "packages"), [("Y\n", " iptables ca-certificates apparmor"), ("N\n", "ca-certificates")]
)
def test_where_the_kernel_has_apparmor_its_parser_comes_with_docker(tmp_path: Path, kernel: str, packages: str) -> None:
    made = host(tmp_path, DEBIAN)
    made.write("sys/module/apparmor/parameters/enabled", kernel)
    apt(made)
    assert made.run(script(install="distro")).returncode == 0
    assert made.calls("apt-get")[-1].endswith(packages)


@pytest.mark.parametrize(("owner", "installed"), [("docker.io", "docker.io"), ("docker-ce", "docker-ce")])
def test_another_version_under_auto_is_of_the_kind_that_is_there(tmp_path: Path, owner: str, installed: str) -> None:
    made = host(tmp_path, DEBIAN)
    with_curl(made)
    apt(made)
    made.program("dockerd", {"--version": "echo 'Docker version 20.10.24, build abc'"})
    made.program("dpkg-query", {"*' docker.io'": "printf installed" if owner == "docker.io" else "exit 1"})
    made.program(
        "apt-cache",
        {
            "'policy '*": "echo '  Candidate: 1'",
            "'madison docker.io'": "echo ' docker.io | 26.1.5+dfsg1-9 | x'",
            "'madison docker-ce'*": "echo ' docker-ce | 5:26.1.4-1 | x'",
            "'madison '*": "true",
        },
    )
    made.program("apt-mark", {"'hold '*": "true"})
    done = made.run(script(version="26"))
    assert done.returncode == 0, done.stderr
    assert "mctl-step: the host has Docker Engine 20.10.24, and 26 is asked for" in done.stderr
    assert f" {installed}=" in made.calls("apt-get")[-1]
    assert (made.root / "etc/docker/.mctl-restart-due").exists()


def test_a_script_by_url_is_fetched_and_run(tmp_path: Path) -> None:
    made = host(tmp_path, DEBIAN)
    code = f"echo VERSION=$VERSION >{made.root}/ran; {made.installs_dockerd()}"
    made.write("script", code)
    made.program("curl", {"*": f'while [ $# -gt 3 ]; do shift; done; cat {made.root}/script >"$2"'})
    done = made.run(script(install="https://get.example.test/", version="27"))
    assert done.returncode == 0, done.stderr
    assert made.read("ran") == "VERSION=27\n"
    assert list((made.root / "tmp").iterdir()) == []


def test_a_script_that_fails_is_told_with_its_last_lines(tmp_path: Path) -> None:
    made = host(tmp_path, DEBIAN)
    made.program("curl", {"*": "while [ $# -gt 3 ]; do shift; done; echo 'echo no room for docker; exit 3' >\"$2\""})
    done = made.run(script(install="https://get.example.test/"))
    assert done.returncode == 1
    assert "no room for docker" in done.stderr
    assert "mctl-error: the install script https://get.example.test/ failed\n" in done.stderr


def test_the_daemons_proxies_are_used_to_install_in_both_spellings_and_stay_out_of_the_text(tmp_path: Path) -> None:
    env = ("HTTPS_PROXY=http://me:it's@proxy:3128", "no_proxy=a.example", "TZ=UTC")
    assert proxies(env) == (
        "export https_proxy='http://me:it'\"'\"'s@proxy:3128'\nexport HTTPS_PROXY='http://me:it'\"'\"'s@proxy:3128'\n"
        "export no_proxy=a.example\nexport NO_PROXY=a.example\n"
    )
    made = host(tmp_path, DEBIAN)
    made.program("curl", {"*": 'echo "$https_proxy $HTTPS_PROXY $no_proxy $NO_PROXY" >>$HOME/seen; exit 1'})
    text = install_as_root(EngineSpec(install="https://get.example/docker.sh", env=env), "box")
    assert "proxy:3128" not in text
    assert made.run(text, proxies(env)).returncode == 1
    assert made.read("seen") == "http://me:it's@proxy:3128 http://me:it's@proxy:3128 a.example a.example\n"


def test_a_proxys_password_is_in_no_error(tmp_path: Path) -> None:
    made = host(tmp_path, DEBIAN)
    made.program("curl", {"*": "echo 'curl: (5) no proxy at http://me:hunter2@proxy:3128/' >&2; exit 5"})
    done = made.run(script(install="https://get.example/docker.sh"))
    assert "hunter2" not in done.stderr
    assert (
        "mctl-error: can't fetch the install script https://get.example/docker.sh: "
        "curl: (5) no proxy at http://***@proxy:3128/\n"
    ) in done.stderr


def test_install_none_takes_what_is_there_also_after_an_install_of_ours_that_was_stopped(tmp_path: Path) -> None:
    made = host(tmp_path, DEBIAN)
    made.program("dockerd", {"--version": "echo 'Docker version 27.3.1, build abc'"})
    made.write("etc/docker/.mctl-installing", "")
    done = made.run(script(install="none"))
    assert (done.returncode, done.stderr) == (0, "mctl-step: Docker Engine 27.3.1 is there already\n")


def test_a_host_without_a_service_manager_is_refused(tmp_path: Path) -> None:
    done = ScratchHost(tmp_path / "root", DEBIAN).run(script())
    assert done.returncode == 1
    assert "mctl-error: the host runs neither systemd nor OpenRC" in done.stderr


def test_an_unforeseen_failure_still_gives_one_error_line(tmp_path: Path) -> None:
    made = host(tmp_path, DEBIAN)
    made.write("etc/docker", "a file where a folder must be")
    done = made.run(script())
    assert done.returncode != 0
    assert done.stderr.count("mctl-error: ") == 1


def test_values_cannot_leave_their_quotes(tmp_path: Path) -> None:
    bait = tmp_path / "bait"
    made = host(tmp_path, DEBIAN)
    made.program("curl", {"*": "exit 6"})
    done = made.run(script(install=f"https://a/'; touch {bait}; '$(touch {bait})`touch {bait}`\n"))
    assert done.returncode == 1
    assert "can't fetch the install script https://a/'; touch" in done.stderr
    assert not bait.exists()


def test_text_that_looks_like_a_heredocs_end_stays_text() -> None:
    text = heredoc("x").split("'")[1] + "\n$HOME `id`"
    shown = subprocess.run(["sh", "-c", heredoc(text)], capture_output=True, text=True, check=True)
    assert shown.stdout == text + "\n"


def test_as_root_keeps_standard_input_and_the_exit_code_and_leaves_no_file(tmp_path: Path) -> None:
    fake_id = tmp_path / "id"
    fake_id.write_text("#!/bin/sh\necho 0\n")
    fake_id.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "TMPDIR": str(tmp_path)}
    wrapped = as_root("cat\nexit 7\n")
    done = subprocess.run(
        ["sh", "-c", wrapped], input="secret", env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (7, "secret")
    assert [file.name for file in tmp_path.iterdir()] == ["id"]


@pytest.mark.parametrize("shell", ["sh", "dash", "bash", "busybox"])
def test_every_shell_can_read_the_scripts(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"there is no {shell} here")
    command = [shell, "sh"] if shell == "busybox" else [shell]
    scripts = script(), configure_as_root(EngineSpec(), "box", "qemu"), provision_as_root("a.sh", "box")
    for text in (install(EngineSpec(), "box"), upgrade(EngineSpec(), "box"), *scripts):
        assert subprocess.run([*command, "-n"], input=text, text=True, check=False).returncode == 0


def test_shellcheck_has_nothing_against_the_scripts() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("there is no shellcheck here")
    for text in (script(), configure_as_root(EngineSpec(), "box", "qemu"), provision_as_root("a.sh", "box")):
        command = ["shellcheck", "--shell=sh", "--severity=warning", "--exclude=SC2034", "-"]
        checked = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout) == (0, "")
