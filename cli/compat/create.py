"""create, with docker-machine's flags and in its words."""

from __future__ import annotations

import re
import sys

from cli.compat import drivers, swarm, usage
from cli.compat.flags import Flag, with_environment
from cli.compat.words import INVALID_NAME, PlainError
from infra.errors import UsageError
from infra.machine import NAME, EngineSpec, MachineSpec
from infra.stacks import machines, states

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from cli.compat.flags import Value
    from infra.stacks.progress import Progress

DEFAULT_INSTALL = "https://get.docker.com"  # what docker-machine runs where nothing else is asked for
SHARED = (
    Flag("driver", "virtualbox", "MACHINE_DRIVER", short="d", text="Driver to create machine with"),
    Flag("engine-install-url", DEFAULT_INSTALL, "MACHINE_DOCKER_INSTALL_URL", text="Script that installs Docker; none"),
    Flag("engine-opt", (), text="Flag of the daemon, flag=value"),
    Flag("engine-insecure-registry", (), text="Registry to reach without TLS"),
    Flag("engine-registry-mirror", (), "ENGINE_REGISTRY_MIRROR", text="Mirror of Docker Hub"),
    Flag("engine-label", (), text="Label of the engine, key=value"),
    Flag("engine-storage-driver", text="Storage driver of the engine"),
    Flag("engine-env", (), text="Environment variable of the daemon, KEY=VALUE"),
    Flag("tls-san", (), text="Further name or address for the server certificate"),
    *swarm.FLAGS,
    # docker-machine had none of these.
    Flag("engine-version", text="Version of Docker to pin, such as 27 or 27.3.1"),
    Flag("allow-cidr", (), text="Who may reach SSH and Docker through the provider's firewall; default: this computer"),
    Flag("ssh-host-key", text="SSH host key of a host that is there already; accept-new trusts what answers"),
)
# What docker-machine says while our own steps run, by how they begin.
SAYINGS = {
    "Creating the virtual machine": "Waiting for machine to be running, this may take a few minutes...",
    "waiting for cloud-init": "Waiting for SSH to be available...",
    "installing ": "Installing Docker...",
    "writing the engine's settings": "Setting Docker configuration on the remote daemon...",
}


def run(arguments: Sequence[str]) -> int:
    """Create one machine. Raises MctlError."""
    driver = drivers.chosen(arguments)
    known = (*SHARED, *drivers.flags_of(driver))
    names, given = usage.read("create", arguments, known)
    _check(names)
    try:
        values = with_environment(given, known)
    except UsageError as error:
        raise usage.IncorrectUsageError(error.message, usage.of_verb("create", known)) from None
    swarm.check(given)
    provider, options = drivers.options_of(driver, values)
    spec = _spec(names[0], provider, options, values)
    _say("Running pre-create checks...")
    stack, cluster = swarm.stack_of(spec.name, values)
    made = machines.create(spec, stack, _Teller(), cluster)
    if not made.record.ssh_port:  # a URL, which docker-machine does not ask either
        return 0
    _say("Checking connection to Docker...")
    state = states.probe(made.record)
    if not state.docker_version:
        raise PlainError(f"Error creating machine: Error checking the host: {state.error or state.word}")
    _say("Docker is up and running!")
    _say(
        "To see how to connect your Docker Client to the Docker Engine running on this virtual machine, run: "
        f"{usage.NAME} env {spec.name}"
    )
    return 0


def help_text() -> str:
    """Write the help of create, without a driver's flags."""
    return usage.of_verb("create", SHARED)


def _check(names: Sequence[str]) -> None:
    if not names:
        sys.stderr.write(f"{help_text()}\n")
        raise PlainError("Error: No machine name specified")
    if len(names) > 1:
        raise PlainError(f"Invalid command line. Found extra arguments [{' '.join(names[1:])}]")
    if not NAME.fullmatch(names[0]) and not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9.-]*", names[0]):
        raise PlainError(f"Error creating machine: {INVALID_NAME}")


def _spec(name: str, provider: str, options: dict[str, object], values: dict[str, Value]) -> MachineSpec:
    def text(flag: str) -> str:
        return str(values.get(flag, ""))

    def texts(flag: str) -> tuple[str, ...]:
        value = values.get(flag, ())
        return value if isinstance(value, tuple) else ()

    def of_driver(option: re.Pattern[str]) -> Value:
        return next((value for flag, value in values.items() if option.search(flag)), "")

    url = text("engine-install-url")
    engine = EngineSpec(
        install="auto" if url in ("", DEFAULT_INSTALL) else url,
        version=text("engine-version"),
        opts=texts("engine-opt"),
        labels=texts("engine-label"),
        insecure_registries=texts("engine-insecure-registry"),
        registry_mirrors=texts("engine-registry-mirror"),
        storage_driver=text("engine-storage-driver"),
        env=texts("engine-env"),
    )
    return MachineSpec(
        name=name,
        provider=provider,
        options=options,
        engine=engine,
        tls_sans=texts("tls-san"),
        ssh_host_key=text("ssh-host-key"),
        allow_cidrs=texts("allow-cidr"),
        private_address_only=bool(of_driver(drivers.PRIVATE_ONLY)),
        user_data=str(of_driver(drivers.USER_DATA)),
    )


class _Teller:
    """Tell progress as docker-machine does; it begins when the checks are over."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, step: Progress) -> None:
        self._once("Creating machine...")
        saying = next((words for beginning, words in SAYINGS.items() if step.text.startswith(beginning)), "")
        self._once(saying or (f"({step.machine}) {step.text}" if step.machine else step.text))

    def _once(self, line: str) -> None:
        if line not in self._said:
            self._said.add(line)
            _say(line)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
