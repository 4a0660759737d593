"""A host that is there already, reached over SSH.

Options follow docker-machine's generic driver. The host's key is known before the first connection: from
`--ssh-host-key`, or from this computer's known_hosts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pulumi

from infra.components.drivers import Driver, Identity, Vm, option
from infra.errors import PreCreateError
from infra.machine import NAMESPACE, MachineSpec

CONNECT_SECONDS = 10
KNOWN_HOSTS = ("~/.ssh/known_hosts", "/etc/ssh/ssh_known_hosts")
DEFAULT_KEYS = ("~/.ssh/id_ed25519", "~/.ssh/id_ecdsa", "~/.ssh/id_rsa")  # ssh(1), -i
ACCEPT_NEW = "accept-new"
# The order of preference where a host has several: what our own machines have comes first.
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, kw_only=True)
class GenericArgs:
    """Say where the host is and how to log in."""

    ip_address: str = option(help="Address or name of the host", env="GENERIC_IP_ADDRESS")
    ssh_user: str = option(
        "root", help="User to log in as; root, or one with passwordless sudo", env="GENERIC_SSH_USER"
    )
    ssh_port: int = option(22, help="Port of the host's SSH server", env="GENERIC_SSH_PORT")
    ssh_key: str = option(
        "", help="Private key file; default: the SSH agent's keys, else one in ~/.ssh", env="GENERIC_SSH_KEY"
    )
    engine_port: int = option(2376, help="Port on which the Docker daemon listens", env="GENERIC_ENGINE_PORT")


class GenericHost(pulumi.ComponentResource):
    """Stand for a host that we did not make: nothing of it is deleted with the machine."""

    def __init__(self, name: str, address: str, opts: pulumi.ResourceOptions) -> None:
        super().__init__("mctl:infra:GenericHost", f"{name}-host", {}, opts)
        self.register_outputs({"address": address})


def vm(spec: MachineSpec, args: GenericArgs, _identity: Identity | None, opts: pulumi.ResourceOptions) -> Vm:
    """Describe the host. Raises PreCreateError where its key is not known."""
    return Vm(
        resource=GenericHost(spec.name, args.ip_address, opts),
        instance_id=args.ip_address,
        address=args.ip_address,
        private_address="",
        ssh_user=args.ssh_user,
        ssh_port=args.ssh_port,
        ssh_private_key=_login_key(spec.name, args),
        ssh_host_key=spec.ssh_host_key or _known_key(spec.name, args),
        docker_port=args.engine_port,
        engine_port=args.engine_port,
    )


def check(spec: MachineSpec, args: GenericArgs) -> MachineSpec:
    """Choose the user's key, pin the host's, and log in once. Raises PreCreateError saying what failed and why."""
    args = replace(args, ssh_key=_chosen_key(args))
    _private_key(spec.name, args)
    if args.ssh_key:
        spec = replace(spec, options={**spec.options, "ssh_key": args.ssh_key})
    if spec.ssh_host_key == ACCEPT_NEW:
        spec = replace(spec, ssh_host_key=_pick(_keyscan(spec.name, args), spec.name, args))
    spec = replace(spec, ssh_host_key=spec.ssh_host_key or _known_key(spec.name, args))
    ask(spec, args, "true")
    return spec


def _login_key(machine: str, args: GenericArgs) -> pulumi.Output[str] | None:
    """Give the key from the named file, else one that the stack's secrets hold, else none: the agent has it."""
    if args.ssh_key:
        return pulumi.Output.secret(_private_key(machine, args))
    kept = pulumi.Config(NAMESPACE).get(kept_key(machine))
    return pulumi.Output.secret(f"{kept.strip()}\n") if kept else None


def kept_key(machine: str) -> str:
    """Name the secret of the stack's config that holds a machine's SSH key, for those who have no file of it."""
    return f"sshKey-{machine}"


def _where(args: GenericArgs) -> str:
    return args.ip_address if args.ssh_port == 22 else f"[{args.ip_address}]:{args.ssh_port}"


def _chosen_key(args: GenericArgs) -> str:
    """Give the key file's absolute path: the named one, else the first default one; nothing where an agent has keys."""
    if args.ssh_key:
        return str(Path(args.ssh_key).expanduser().absolute())
    if _agent_has_keys():
        return ""
    files = (Path(key).expanduser() for key in DEFAULT_KEYS)
    return next((str(file) for file in files if file.is_file()), "")


def _agent_has_keys() -> bool:
    if not shutil.which("ssh-add") or not os.environ.get("SSH_AUTH_SOCK"):
        return False
    return subprocess.run(["ssh-add", "-l"], stdin=subprocess.DEVNULL, capture_output=True, check=False).returncode == 0


def _private_key(machine: str, args: GenericArgs) -> str:
    if not args.ssh_key:
        return ""
    path = Path(args.ssh_key).expanduser()
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise PreCreateError(
            f"the SSH key {path} can't be read: {getattr(error, 'strerror', None) or 'it is not a text file'}",
            machine=machine,
            mend="name a private key that you can read with --generic-ssh-key",
        ) from None


def _known_key(machine: str, args: GenericArgs) -> str:
    found: list[str] = []
    for file in (str(Path(name).expanduser()) for name in KNOWN_HOSTS):
        if Path(file).is_file() and shutil.which("ssh-keygen"):
            asked = subprocess.run(
                ["ssh-keygen", "-F", _where(args), "-f", file], capture_output=True, text=True, check=False
            )
            found += [line for line in asked.stdout.splitlines() if not line.startswith("#")]
    return _pick(found, machine, args)


def _keyscan(machine: str, args: GenericArgs) -> list[str]:
    scan = subprocess.run(
        ["ssh-keyscan", "-T", str(CONNECT_SECONDS), "-p", str(args.ssh_port), args.ip_address],
        capture_output=True,
        text=True,
        check=False,
    )
    if not scan.stdout.strip():
        raise PreCreateError(
            f"{_where(args)} does not answer as an SSH server",
            machine=machine,
            mend=f"check the address, and that this works: ssh -p {args.ssh_port} {args.ssh_user}@{args.ip_address}",
        )
    return [line for line in scan.stdout.splitlines() if not line.startswith("#")]


def _pick(lines: list[str], machine: str, args: GenericArgs) -> str:
    """Choose one key of known_hosts lines (`HOSTS TYPE KEY`): revoked and CA entries never count."""
    keys = [line.split()[1:3] for line in lines if not line.startswith("@") and len(line.split()) >= 3]
    for wanted in KEY_TYPES:
        for kind, key in keys:
            if kind == wanted:
                return f"{kind} {key}"
    raise PreCreateError(
        f"the SSH host key of {_where(args)} is not known",
        machine=machine,
        mend=f"give it with --ssh-host-key 'ssh-ed25519 AAAA…', log in once with ssh -p {args.ssh_port} "
        f"{args.ssh_user}@{args.ip_address}, or trust what answers now with --ssh-host-key {ACCEPT_NEW}",
    )


def ask(spec: MachineSpec, args: GenericArgs, command: str) -> str:
    """Log in, run a command that changes nothing, and give what it printed. Raises PreCreateError."""
    with tempfile.TemporaryDirectory(prefix="mctl-") as folder:
        known_hosts = Path(folder, "known_hosts")
        known_hosts.write_text(f"{_where(args)} {spec.ssh_host_key}\n")
        login = ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}"]
        login += ["-o", "StrictHostKeyChecking=yes", "-o", f"UserKnownHostsFile={known_hosts}"]
        login += ["-o", "GlobalKnownHostsFile=none", "-o", f"HostKeyAlgorithms={_algorithms(spec.ssh_host_key)}"]
        if args.ssh_key:
            login += ["-o", "IdentitiesOnly=yes", "-i", str(Path(args.ssh_key).expanduser())]
        login += ["-p", str(args.ssh_port), f"{args.ssh_user}@{args.ip_address}", command]
        if not shutil.which("ssh"):
            raise PreCreateError("there is no ssh program on PATH", machine=spec.name, mend="install openssh-client")
        tried = subprocess.run(login, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if tried.returncode:
        raise _refusal(spec, args, tried.stderr.strip())
    return tried.stdout.strip()


def _algorithms(host_key: str) -> str:
    kind = host_key.split()[0]
    return "rsa-sha2-512,rsa-sha2-256,ssh-rsa" if kind == "ssh-rsa" else kind


def _refusal(spec: MachineSpec, args: GenericArgs, said: str) -> PreCreateError:
    if "host key" in said.lower():
        what, mend = (
            f"{_where(args)} shows another SSH host key than the one that is known",
            "find out why before you go on; if the host was reinstalled, give its new key with --ssh-host-key",
        )
    elif "permission denied" in said.lower() or "invalid format" in said.lower() or "libcrypto" in said.lower():
        what, mend = (
            f"{args.ssh_user}@{_where(args)} does not accept the SSH key {args.ssh_key or 'of the agent'}",
            f"add its public half to ~{args.ssh_user}/.ssh/authorized_keys there, or name another with "
            "--generic-ssh-key",
        )
    else:
        last = said.splitlines()[-1] if said else "ssh failed without a word"
        what = f"can't reach {_where(args)}: {last}"
        mend = f"check the address, and that this works: ssh -p {args.ssh_port} {args.ssh_user}@{args.ip_address}"
    return PreCreateError(what, machine=spec.name, mend=mend)


DRIVER = Driver(name="generic", args=GenericArgs, vm=vm, check=check, makes_vm=False, declares_power=False)
