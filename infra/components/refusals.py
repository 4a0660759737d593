"""What no machine can be, whatever its provider's own options say."""

from __future__ import annotations

from infra.components import drivers
from infra.components.engine_scripts.configure import split_opts
from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec


def check(spec: MachineSpec) -> None:
    """Refuse what can't be made, before anything is. Raises UsageError."""
    driver = drivers.load(spec.provider)
    _check_host(driver, spec)
    _check_ways(driver, spec)
    drivers.read_args(driver, spec.name, spec.options)
    split_opts(spec.engine)


def _check_host(driver: drivers.Driver, spec: MachineSpec) -> None:
    """Refuse what is for a host, where a daemon is all that there is."""
    given = {
        "--engine-…": spec.engine != EngineSpec(),
        "--tls-san": spec.tls_sans,
        "--ssh-host-key": spec.ssh_host_key,
        "--ssh-proxy-jump": spec.ssh_proxy_jump,
        "--provision-script": spec.provision_scripts,
    }
    for option in [option for option, value in given.items() if value and not driver.has_host]:
        raise UsageError(f"{option}: provider {driver.name} changes nothing on the daemon's host", machine=spec.name)


def _check_ways(driver: drivers.Driver, spec: MachineSpec) -> None:
    if spec.private_address_only and not driver.private_address:
        raise UsageError(
            f"--private-address-only: a machine of provider {driver.name} has no private address of its own",
            machine=spec.name,
            mend=None if driver.makes_vm else "give the address that is to be used",
        )
    if spec.allow_cidrs and not driver.closes:
        raise UsageError(f"--allow-cidr: provider {driver.name} has no firewall that mctl closes", machine=spec.name)
    if spec.zones and not driver.has_zones:
        raise UsageError(f"--zones: provider {driver.name} has none", machine=spec.name)
    if spec.user_data and not driver.makes_vm:
        raise UsageError(
            f"--user-data: provider {driver.name} makes no machine that could read it",
            machine=spec.name,
            mend="run a script on the host with --provision-script",
        )
    if spec.ssh_proxy_jump and driver.is_local:
        raise UsageError(
            f"--ssh-proxy-jump: a machine of provider {driver.name} is on this computer", machine=spec.name
        )
