"""The script that gives the daemon its certificates and settings, and starts it with them.

What the spec has fields for goes into daemon.json. The sockets, TLS and `--engine-opt` are flags in a systemd drop-in
(on OpenRC, in /etc/conf.d/docker): a unit's own `-H` clashes with `hosts` in daemon.json, and only dockerd knows the
types of its flags.
Source: https://docs.docker.com/engine/daemon/, https://docs.docker.com/reference/cli/dockerd/
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence

from infra.components.engine_scripts import as_root, heredoc, parts, variables
from infra.errors import UsageError
from infra.machine import EngineSpec

PORT = 2376
DAEMON_FLAGS = (
    "--host=tcp://0.0.0.0:{port}",
    "--tlsverify",
    "--tlscacert=/etc/docker/ca.pem",
    "--tlscert=/etc/docker/server.pem",
    "--tlskey=/etc/docker/server-key.pem",
)
# Keys in daemon.json by flag, for what the spec has fields for: dockerd refuses a setting made in both places.
KEYS = {
    "label": "labels",
    "insecure-registry": "insecure-registries",
    "registry-mirror": "registry-mirrors",
    "storage-driver": "storage-driver",
}
OURS = ("tls", "tlsverify", "tlscacert", "tlscert", "tlskey", "config-file")
Settings = dict[str, list[str]]


def configure(spec: EngineSpec, machine: str, provider: str, port: int = PORT) -> str:
    """Write the script; its standard input is made by `certificates`. Raises UsageError for an option it can't take."""
    return as_root(configure_as_root(spec, machine, provider, port))


def configure_as_root(spec: EngineSpec, machine: str, provider: str, port: int = PORT) -> str:
    """Write the part that runs as root."""
    return _settings(spec, machine, provider, port) + parts("prelude", "live_restore", "configure") + "main\n"


def check(spec: EngineSpec, machine: str, provider: str, port: int = PORT) -> str:
    """Write the script that looks whether the host is still as configured; it prints `mctl-check NAME ok|bad WHAT`."""
    scripts = parts("prelude", "live_restore", "configure", "check")
    return as_root(_settings(spec, machine, provider, port) + scripts + "main\n")


def _settings(spec: EngineSpec, machine: str, provider: str, port: int) -> str:
    """Say in shell what is declared."""
    asked, opts = split_opts(spec)
    settings = with_provider(asked, provider)
    return "".join(
        [
            variables(
                machine=machine,
                port=str(port),
                port_hex=f"{port:04X}",
                only_provider_label="" if asked["label"] else "yes",
            ),
            _function("daemon_json", heredoc(daemon_json(settings))),
            _flag_functions(
                "daemon_flags", "openrc_flags", [*(flag.format(port=port) for flag in DAEMON_FLAGS), *opts], []
            ),
            _flag_functions(
                "setting_flags",
                "openrc_setting_flags",
                as_flags({flag: values for flag, values in settings.items() if flag != "label"}),
                as_flags({"label": settings["label"]}),
            ),
        ]
    )


def certificates(ca_cert: str, server_cert: str, server_key: str, *, env: Sequence[str] = ()) -> str:
    """Write the script's standard input, with the daemon's environment variables.

    It holds the private key, and may hold a proxy's password: keep it secret.
    """
    files = {
        "ca.pem": ca_cert,
        "server.pem": server_cert,
        "server-key.pem": server_key,
        "unit-environment": "\n".join(f"Environment={_unit_word(pair)}" for pair in env),
        "openrc-environment": "\n".join(f"export {_assignment(pair)}" for pair in env),
    }
    return "".join(f"mctl-file {name}\n{text.strip()}\n" for name, text in files.items())


def split_opts(spec: EngineSpec) -> tuple[Settings, list[str]]:
    """Part what daemon.json will say, by flag, from the dockerd flags of `--engine-opt`. Raises UsageError."""
    settings: Settings = {
        "label": list(spec.labels),
        "insecure-registry": list(spec.insecure_registries),
        "registry-mirror": list(spec.registry_mirrors),
        "storage-driver": [spec.storage_driver] if spec.storage_driver else [],
    }
    flags = []
    for opt in spec.opts:
        key, equals, value = opt.lstrip("-").partition("=")
        if not re.fullmatch(r"[a-z0-9][a-z0-9-]*", key):
            raise UsageError(f"--engine-opt {opt!r} is not a dockerd option such as log-driver=local")
        if key in OURS:
            raise UsageError(f"--engine-opt {key} is set by mctl", mend=f"leave --engine-opt {key} off")
        if key in KEYS:
            settings[key].append(value)
        else:
            flags.append(f"--{key}{equals}{value}")
    return settings, flags


def with_provider(settings: Settings, provider: str) -> Settings:
    """Add the label that says where the machine runs, unless the user gave it another meaning."""
    labels = settings["label"]
    named = any(label.startswith("provider=") for label in labels)
    return settings | {"label": labels if named else [*labels, f"provider={provider}"]}


def daemon_json(settings: Settings) -> str:
    """Write daemon.json, without what is not set."""
    said = {
        KEYS[flag]: values[-1] if flag == "storage-driver" else values for flag, values in settings.items() if values
    }
    return json.dumps(said, indent=2, sort_keys=True)


def as_flags(settings: Settings) -> list[str]:
    """Write the same settings as dockerd flags."""
    return [f"--{flag}={value}" for flag, values in settings.items() for value in values]


def _flag_functions(systemd: str, openrc: str, flags: Sequence[str], labels: Sequence[str]) -> str:
    """Make two functions that print flags, quoted for the unit and for /etc/conf.d; an argument leaves labels out."""
    text = ""
    for name, quote in ((systemd, _unit_command_word), (openrc, _conf_word)):
        body = _print("".join(f" {quote(flag)}" for flag in flags))
        if labels:
            body += '[ "${1:-}" = without_labels ] || ' + _print("".join(f" {quote(label)}" for label in labels))
        text += _function(name, body)
    return text


def _function(name: str, body: str) -> str:
    return f"{name}() {{\n{body}}}\n"


def _print(text: str) -> str:
    return f"printf %s {shlex.quote(text)}\n"


def _unit_word(text: str) -> str:
    """Quote for a unit file: systemd.syntax(7), with % for specifiers."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("%", "%%")
    return f'"{escaped}"'


def _unit_command_word(text: str) -> str:
    """Quote for ExecStart=, where $ stands for variables too: systemd.service(5)."""
    return _unit_word(text).replace("$", "$$")


def _conf_word(text: str) -> str:
    """Quote for a word inside the single quotes of DOCKER_OPTS, which OpenRC evaluates once more."""
    return shlex.quote(text).replace("'", "'\\''")


def _assignment(pair: str) -> str:
    key, _, value = pair.partition("=")
    return f"{key}={shlex.quote(value)}"
