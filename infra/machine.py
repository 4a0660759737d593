"""What a machine is meant to be: the declaration that `mctl create` writes and `pulumi up` reads.

Plain dataclasses and the standard library only, so that every layer and every read may import it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

from infra.errors import UsageError

# One namespace of config whatever the project is called, so that a stack's file can move between projects.
NAMESPACE = "mctl"
MACHINES = f"{NAMESPACE}:machines"
# What begins the name of a secret of the config: a machine's SSH key, for those who have no file of it.
LOGIN_KEY = "sshKey-"
# Set for one run, as `mctl kill` does: drivers and plugins ask no guest, but switch it off.
HARD_STOP = "MCTL_HARD_STOP"
# docker-machine's rule for names, and a host name's (RFC 1123), so that a name is always a valid DNS label sequence.
NAME = re.compile(r"[a-zA-Z0-9](?:[a-zA-Z0-9.-]{0,61}[a-zA-Z0-9])?")
# A host name or a wildcard of one (RFC 5890, 2.3.1; RFC 6125, 6.4.3).
SAN = re.compile(
    r"(\*\.)?[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?(\.[a-zA-Z0-9_]([a-zA-Z0-9_-]{0,61}[a-zA-Z0-9_])?)*"
)
JUMP = re.compile(
    r"(?:(?P<user>\w[\w.+-]*)@)?(?:(?P<host>\w[\w.-]*)|\[(?P<bracketed>[0-9a-fA-F:.]+)\])(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
MANAGER, WORKER = "manager", "worker"
MANAGERS = 3
PRIVATE_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")  # RFC 1918
MOST_MANAGERS = 7  # https://docs.docker.com/engine/swarm/admin_guide/
KINDS = {
    "bool": "true or false",
    "int": "a whole number",
    "str": "text",
    "tuple": "a list of texts",
    "Mapping": "a mapping",
}
ENGINE_INSTALLS = ("auto", "docker", "distro", "none")
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class EngineSpec:
    """How Docker Engine gets onto the host and how its daemon is set up.

    install: `docker` (docker.com's repository), `distro` (the distribution's package), `none`, a script's URL, or
    `auto` (`docker`, and `distro` where docker.com can't be reached). version: a prefix such as `27` or `27.3.1`.
    opts: dockerd options, `key=value` or `key`. env: `KEY=VALUE` for the daemon.
    """

    install: str = "auto"
    version: str = ""
    opts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    storage_driver: str = ""
    env: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """One machine, as declared under `mctl:machines` in Pulumi.<stack>.yaml.

    options: the driver's own, by field name of its args. tls_sans: further names and addresses for the server
    certificate. ssh_host_key: one authorized_keys-style line for a host that we did not make. ssh_proxy_jump: the
    bastion that all SSH goes through, `[USER@]HOST[:PORT]`; ssh_proxy_host_key and ssh_proxy_key are its host key
    and the private key file that logs in there. private_address_only: reach the machine by its private address.
    allow_cidrs: who may reach SSH and Docker through the provider's firewall. zones: where it may be, the first
    that has room. swarm_networks: where the other members of its Swarm are, for the provider's firewall; those of
    `mctl:swarm` if empty. user_data: file for cloud-init. provision_scripts: files that run on the host as root, once
    its engine is up. A file's path is absolute, or relative to the project's folder. running: False keeps it switched
    off. adopted: what is known of an engine that someone else configured and that stays as it is (`engine_version`,
    `certificate_expiry`); empty where mctl configures it. formerly: the name that it had, until an `up` has renamed
    it. made_as: the name that it was made under, where that is another.
    """

    name: str
    provider: str
    options: Mapping[str, Any] = field(default_factory=dict)
    engine: EngineSpec = field(default_factory=EngineSpec)
    tls_sans: tuple[str, ...] = ()
    ssh_host_key: str = ""
    ssh_proxy_jump: str = ""
    ssh_proxy_host_key: str = ""
    ssh_proxy_key: str = ""
    private_address_only: bool = False
    allow_cidrs: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    swarm_networks: tuple[str, ...] = ()
    user_data: str = ""
    provision_scripts: tuple[str, ...] = ()
    running: bool = True
    adopted: Mapping[str, str] = field(default_factory=dict)
    formerly: str = ""
    made_as: str = ""

    def __post_init__(self) -> None:
        check_name(self.name)
        _check_jump(self)
        _check_sans(self.name, self.tls_sans)
        _check_cidrs(self.name, "--allow-cidr", self.allow_cidrs)
        _check_cidrs(self.name, "swarm_networks", self.swarm_networks)
        _check_engine(self.name, self.engine)

    @property
    def host_name(self) -> str:
        """What the host calls itself, and what is named by it at the provider: a new name there is a new host."""
        return self.made_as or self.name

    @classmethod
    def from_config(cls, name: str, declared: Mapping[str, Any], key: str = MACHINES) -> MachineSpec:
        """Read one entry of `mctl:machines`, or of what else is called key.

        Raises UsageError naming the unknown or missing setting.
        """
        if not isinstance(declared, Mapping):
            raise UsageError(f"{key}: {name} is not a mapping", machine=name, setting=(name,))
        values = dict(declared)
        if not values.get("provider"):
            raise UsageError(f"{key}: {name} has no `provider`", machine=name, setting=(name,))
        engine = _construct(EngineSpec, (name, "engine"), values.pop("engine", None) or {}, key=key)
        return _construct(cls, (name,), values, key=key, name=name, engine=engine)

    def to_config(self) -> dict[str, Any]:
        """Write the entry, without what is at its default."""
        default = MachineSpec(name=self.name, provider="")
        entry = _differing(self, default, skip={"name", "engine"})
        engine = _differing(self.engine, default.engine, skip=set())
        return entry | ({"engine": engine} if engine else {})

    @property
    def files(self) -> tuple[str, ...]:
        """Give the paths of the files that a declaration names."""
        return tuple(filter(None, (self.user_data, *self.provision_scripts)))

    def with_files(self, change: Callable[[str], str]) -> MachineSpec:
        """Change the paths of the files that a declaration names relative to the project's folder."""
        return replace(
            self,
            user_data=self.user_data and change(self.user_data),
            provision_scripts=tuple(change(script) for script in self.provision_scripts),
        )


@dataclass(frozen=True, kw_only=True)
class SwarmSpec:
    """How the machines of a stack form a Swarm, as declared under `mctl:swarm` in Pulumi.<stack>.yaml.

    managers: how many of them at most, an odd number, for half of an even one agree on nothing; the stack's first
    machines are it. lead: the manager that others join at and that is asked to change the Swarm, the first one if
    empty. autolock: managers need a key after a restart. networks: where its machines are; providers' firewalls let in
    the Swarm's ports from there alone.
    """

    managers: int = MANAGERS
    lead: str = ""
    autolock: bool = False
    networks: tuple[str, ...] = PRIVATE_NETWORKS

    def __post_init__(self) -> None:
        if self.managers % 2 == 0 or not 0 < self.managers <= MOST_MANAGERS:
            raise UsageError(
                f"a Swarm of {self.managers} managers: it must be an odd number from 1 to {MOST_MANAGERS}",
                mend=f"--managers {MANAGERS}",
            )

    @classmethod
    def from_config(cls, declared: Any) -> SwarmSpec | None:
        """Read `mctl:swarm`, None where there is none. Raises UsageError."""
        return None if declared is None else _construct(cls, (), declared, key="mctl:swarm")

    def to_config(self) -> dict[str, Any]:
        """Write the entry; managers always, for an entry that says nothing is easily taken for none."""
        return {"managers": self.managers} | _differing(self, SwarmSpec(), skip={"managers"})

    def managers_of(self, machines: Sequence[MachineSpec]) -> list[str]:
        """Name the managers: the lead where one is declared, and the first machines."""
        names = [each.name for each in machines]
        most = min(self.managers, len(names) - 1 + len(names) % 2)
        first = [self.lead] if self.lead in names else []  # a lead that is gone counts for nothing
        return list(dict.fromkeys([*first, *names]))[:most]

    def lead_of(self, machines: Sequence[MachineSpec]) -> str:
        """Choose the manager that leads: the one declared, else the first that is switched on."""
        managers = self.managers_of(machines)
        if self.lead in managers:
            return self.lead
        running = {each.name for each in machines if each.running}
        return next((name for name in managers if name in running), managers[0])


class Jump(NamedTuple):
    """A bastion that SSH goes through."""

    user: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str, machine: str | None = None) -> Jump:
        """Read `[USER@]HOST[:PORT]`; no user is the one who runs this, as with ssh. Raises UsageError."""
        found = JUMP.fullmatch(text)
        if not found or not 0 < int(found["port"] or 22) < 65536:
            raise UsageError(f"--ssh-proxy-jump {text!r} is not [USER@]HOST[:PORT]", machine=machine)
        user = found["user"]
        if not user:
            from getpass import getuser  # reads need none

            user = getuser()
        return cls(user, found["host"] or found["bracketed"], int(found["port"] or 22))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}:{self.port}"


def check_name(name: str) -> str:
    """Give the name back if a machine may have it. Raises UsageError."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"invalid machine name {name!r}: use letters, digits, '-' and '.', at most 63, "
            "beginning and ending with a letter or a digit",
            machine=name,
        )
    return name


def is_address(host: str) -> bool:
    """Tell an IP address from a name."""
    from ipaddress import ip_address  # reads need none

    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def suggest(word: str, known: list[str]) -> str:
    """Give a question with the nearest known word, or nothing: `; did you mean 'qemu'?`."""
    near = get_close_matches(word, known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def _check_jump(spec: MachineSpec) -> None:
    if spec.ssh_proxy_jump:
        Jump.parse(spec.ssh_proxy_jump, spec.name)
    elif spec.ssh_proxy_host_key or spec.ssh_proxy_key:
        option = "--ssh-proxy-host-key" if spec.ssh_proxy_host_key else "--ssh-proxy-key"
        raise UsageError(f"{option} is for the host that --ssh-proxy-jump names", machine=spec.name)


def _check_sans(name: str, sans: tuple[str, ...]) -> None:
    for san in sans:
        if not is_address(san) and not SAN.fullmatch(san):
            raise UsageError(f"--tls-san {san!r} is neither a host name nor an IP address", machine=name)


def _check_cidrs(name: str, setting: str, cidrs: tuple[str, ...]) -> None:
    from ipaddress import ip_network  # reads need none

    for cidr in cidrs:
        try:
            ip_network(cidr)
        except ValueError as error:
            raise UsageError(f"{setting} {cidr!r}: {error}", machine=name) from None


def _check_engine(name: str, engine: EngineSpec) -> None:
    if engine.install not in ENGINE_INSTALLS and not engine.install.startswith(("https://", "http://")):
        raise UsageError(
            f"--engine-install {engine.install!r} is none of {', '.join(ENGINE_INSTALLS)} or a script's URL",
            machine=name,
        )
    if engine.version and not re.fullmatch(r"[0-9][0-9A-Za-z.:~+-]*", engine.version):
        raise UsageError(f"--engine-version {engine.version!r} is not a version such as 27 or 27.3.1", machine=name)
    for pair in (*engine.env, *engine.labels):
        if "=" not in pair.strip("="):
            raise UsageError(f"engine setting {pair!r} is not KEY=VALUE", machine=name)


def _construct(
    cls: type[T], where: tuple[str, ...], values: Mapping[str, Any], *, key: str = MACHINES, **given: Any
) -> T:
    """Read one mapping of the declaration. where: its place below the key."""
    if not isinstance(values, Mapping):
        raise _refused(key, where, f"is {values!r} and must be {KINDS['Mapping']}")
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in known or name in given:
            near = suggest(str(name), [each for each in known if each not in given])
            raise _refused(key, where, f"has no setting {name!r}{near}", str(name))
    read = {name: _typed(key, (*where, name), known[name].type, value) for name, value in values.items()}
    return cls(**read, **given)


def _typed(key: str, where: tuple[str, ...], annotation: Any, value: Any) -> Any:
    """Read one setting as YAML gives it; a whole number is taken for text, `27` being a version that people write."""
    kind = str(annotation).partition("[")[0]
    if kind == "tuple" and isinstance(value, list) and not any(isinstance(item, dict | list) for item in value):
        return tuple(map(str, value))
    if kind == "Mapping" and isinstance(value, Mapping):
        return dict(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and isinstance(value, int) and not isinstance(value, bool):
        return value
    if kind == "str" and isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise _refused(key, where, f"is {value!r} and must be {KINDS[kind]}")


def _refused(key: str, where: tuple[str, ...], why: str, *name: str) -> UsageError:
    """Say what is wrong. A machine's place is told, for its line to be found."""
    said = f"{key}: {'.'.join(where)} {why}" if where else f"{key} {why}"
    return UsageError(said, machine=where[0], setting=(*where, *name)) if key == MACHINES else UsageError(said)


def _differing(value: Any, default: Any, skip: set[str]) -> dict[str, Any]:
    plain, base = asdict(value), asdict(default)
    return {
        key: list(item) if isinstance(item, tuple) else dict(item) if isinstance(item, Mapping) else item
        for key, item in plain.items()
        if key not in skip and item != base[key]
    }
