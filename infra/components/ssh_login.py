"""Log in by SSH to a host that is there, before anything is made: which key opens it, and whose host key is trusted."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from infra.components.ssh_command import SSH_FAILED, as_arguments, host_name, pinned, proxy_command
from infra.errors import PreCreateError
from infra.machine import Jump

KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")  # ssh(1), -i
ACCEPT_NEW = "accept-new"
# The order of preference where a host has several: what our own machines have comes first.
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
REFUSED_WAITS = (0.2, 0.4, 0.8, 1.6, 0)  # seconds after each try: an SSH server that starts again listens within these
RSA = "rsa-sha2-512,rsa-sha2-256,ssh-rsa"


@dataclass(frozen=True, kw_only=True)
class Login:
    """A user on a host, and what proves each to the other.

    key: private key file; empty means the SSH agent. host_key: `TYPE KEY`; empty means known_hosts, `accept-new` what
    answers. key_option, host_key_option: what the command line calls these. through: the bastion before it.
    is_bastion: it need let nobody run a command.
    """

    machine: str
    user: str
    host: str
    port: int
    key: str
    host_key: str
    key_option: str
    host_key_option: str
    through: Login | None = None
    is_bastion: bool = False

    @property
    def where(self) -> str:
        """The host as known_hosts names it."""
        return host_name(self.host, self.port)

    @property
    def by_hand(self) -> str:
        """The command that tries the same by hand."""
        jump = f"-J {self.through.jump} " if self.through else ""
        return f"ssh {jump}-p {self.port} {self.user}@{self.host}"

    @property
    def jump(self) -> Jump:
        """The same as a bastion."""
        return Jump(self.user, self.host, self.port)


def chosen_key(key: str) -> str:
    """Give the key file's absolute path: the named one, else the first default one; nothing where an agent has keys."""
    if key:
        return str(Path(key).expanduser().absolute())
    if _agent_has_keys():
        return ""
    files = (Path(default).expanduser() for default in DEFAULT_KEYS)
    return next((str(file) for file in files if file.is_file()), "")


def private_key(login: Login) -> str | None:
    """Read the private key; None where the SSH agent has it. Raises PreCreateError."""
    if not login.key:
        return None
    path = Path(login.key).expanduser()
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PreCreateError(
            f"the SSH key {path} can't be read: {getattr(error, 'strerror', None) or 'it is not a text file'}",
            machine=login.machine,
            mend=f"name a private key that you can read with {login.key_option}",
        ) from None


def checked(login: Login) -> Login:
    """Choose the user's key, pin the host's, and log in once. Raises PreCreateError saying what failed and why."""
    login = replace(login, key=chosen_key(login.key))
    private_key(login)
    login = replace(login, host_key=_first_key(login) if login.host_key == ACCEPT_NEW else known_key(login))
    ask(login, "true")
    return login


def known_key(login: Login) -> str:
    """Give the host's key: the one that was given, else that of this computer's known_hosts. Raises PreCreateError."""
    if login.host_key:
        return login.host_key
    found: list[str] = []
    for file in (str(Path(name).expanduser()) for name in KNOWN_HOSTS):
        if Path(file).is_file() and shutil.which("ssh-keygen"):
            asked = subprocess.run(
                ["ssh-keygen", "-F", login.where, "-f", file], capture_output=True, text=True, check=False
            )
            found += [line for line in asked.stdout.splitlines() if not line.startswith("#")]
    return _pick(found, login)


def _agent_has_keys() -> bool:
    if not shutil.which("ssh-add") or not os.environ.get("SSH_AUTH_SOCK"):
        return False
    return subprocess.run(["ssh-add", "-l"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _first_key(login: Login) -> str:
    """Take the key that the host shows now, whether or not it lets us in."""
    order = {"HostKeyAlgorithms": ",".join(map(_algorithms, KEY_TYPES))}
    with _known_hosts(login.through) as file:
        trusting = {"StrictHostKeyChecking": "accept-new", "HashKnownHosts": "no", "CheckHostIP": "no"}
        tried = _ssh(login, file, trusting | order)
        lines = file.read_text().splitlines()[1 if login.through else 0 :]
    if not lines:
        raise PreCreateError(
            f"{login.where} does not answer as an SSH server: {_last_line(tried)}",
            machine=login.machine,
            mend=f"check the address, and that this works: {login.by_hand}",
        )
    return _pick(lines, login)


def _pick(lines: list[str], login: Login) -> str:
    """Choose one key of known_hosts lines (`HOSTS TYPE KEY`): revoked and CA entries never count."""
    keys = [line.split()[1:3] for line in lines if not line.startswith("@") and len(line.split()) >= 3]
    for wanted in KEY_TYPES:
        for kind, key in keys:
            if kind == wanted:
                return f"{kind} {key}"
    raise PreCreateError(
        f"the SSH host key of {login.where} is not known",
        machine=login.machine,
        mend=f"give it with {login.host_key_option} 'ssh-ed25519 AAAA…', log in once with {login.by_hand}, or trust "
        f"what answers now with {login.host_key_option} {ACCEPT_NEW}",
    )


def ask(login: Login, command: str) -> str:
    """Log in, run a command that changes nothing, and give what it printed. Raises PreCreateError."""
    with _known_hosts(login, login.through) as file:
        tried = _ssh(login, file, {"HostKeyAlgorithms": _algorithms(login.host_key.split()[0])}, command)
    if tried.returncode == SSH_FAILED or (tried.returncode and not login.is_bastion):
        raise _refusal(login, tried)
    return tried.stdout.strip()


def _ssh(
    login: Login, known_hosts: Path, more: dict[str, str], command: str = "true"
) -> subprocess.CompletedProcess[str]:
    options = {"BatchMode": "yes"} | pinned(str(known_hosts), login.key) | more
    if login.through:
        options["ProxyCommand"] = proxy_command(login.through.jump, str(known_hosts), login.through.key)
    login_there = ["-p", str(login.port), f"{login.user}@{login.host}", command]
    if not shutil.which("ssh"):
        raise PreCreateError("there is no ssh program on PATH", machine=login.machine, mend="install openssh-client")
    for wait in REFUSED_WAITS:
        tried = subprocess.run(
            ["ssh", "-F", "none", *as_arguments(options), *login_there],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        if tried.returncode != SSH_FAILED or "connection refused" not in tried.stderr.lower():
            break
        time.sleep(wait)
    return tried


@contextmanager
def _known_hosts(*logins: Login | None) -> Iterator[Path]:
    """Give a file that pins the hosts' keys, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="mctl-") as folder:
        file = Path(folder, "known_hosts")
        file.write_text("".join(f"{login.where} {login.host_key}\n" for login in logins if login))
        yield file


def _algorithms(kind: str) -> str:
    return RSA if kind == "ssh-rsa" else kind


def _last_line(tried: subprocess.CompletedProcess[str]) -> str:
    said = tried.stderr.strip()
    return said.splitlines()[-1].strip() if said else "ssh failed without a word"


def _refusal(login: Login, tried: subprocess.CompletedProcess[str]) -> PreCreateError:
    said = tried.stderr.lower()
    if "host key" in said:
        what, mend = (
            f"{login.where} shows another SSH host key than the one that is known",
            "find out why before you go on; if the host was reinstalled, give its new key with "
            f"{login.host_key_option}",
        )
    elif "permission denied" in said or "invalid format" in said or "libcrypto" in said:
        what, mend = (
            f"{login.user}@{login.where} does not accept the SSH key {login.key or 'of the agent'}",
            f"add its public half to ~{login.user}/.ssh/authorized_keys there, or name another with {login.key_option}",
        )
    else:
        what = f"can't reach {login.where}: {_last_line(tried)}"
        mend = f"check the address, and that this works: {login.by_hand}"
    return PreCreateError(what, machine=login.machine, mend=mend)
