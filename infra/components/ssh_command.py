"""How an ssh of ours is told whom to trust, for the machine itself and for a bastion before it. ssh_config(5).

Reads use it too, so it imports next to nothing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from infra.machine import Jump

CONNECT_SECONDS = 10
SSH_FAILED = 255  # ssh(1), EXIT STATUS: anything else is the remote command's own


def pinned(known_hosts: str, key: str | None) -> dict[str, str]:
    """Give the options that trust what a file says and nothing else, and that log in with the key, where there is one.

    The values are as ssh_config(5) wants them: `%` starts a token in a path, and a quoted path may hold blanks.
    """
    options = {
        "UserKnownHostsFile": _path(known_hosts),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
    }
    return options | ({"IdentityFile": _path(key), "IdentitiesOnly": "yes"} if key else {})


def proxy_command(jump: Jump, known_hosts: str, key: str | None) -> str:
    """Give the ProxyCommand that goes through a bastion. It asks nothing: what it can't do it says on stderr."""
    import shlex

    command = ["ssh", "-F", "none", *as_arguments({"BatchMode": "yes"} | pinned(known_hosts, key))]
    command += ["-p", str(jump.port), "-l", jump.user, "-W", "[HOST]:PORT", jump.host]
    return shlex.join(command).replace("%", "%%").replace("'[HOST]:PORT'", "'[%h]:%p'")


def as_arguments(options: dict[str, str]) -> list[str]:
    """Write options as ssh's command line takes them."""
    return [argument for option, value in options.items() for argument in ("-o", f"{option}={value}")]


def host_name(host: str, port: int) -> str:
    """Name a host as known_hosts does (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    return host if port == 22 else f"[{host}]:{port}"


def _path(path: str) -> str:
    return '"{}"'.format(path.replace("%", "%%"))
