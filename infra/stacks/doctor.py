"""What `mctl create` needs from this computer, looked at one by one."""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.components.drivers import Finding, load, read_args
from infra.errors import MctlError, PreCreateError
from infra.stacks import downloads, go_build, passphrase, pulumi_program, served_plugins
from infra.stacks.home import home


def examine(provider: str, options: Mapping[str, Any]) -> list[Finding]:
    """Look at all that `create` needs for a provider with these options, making nothing but an empty home."""
    folder = _home()
    return [
        Finding("Python", ok=True, value=platform.python_version()),
        folder,
        *(_kept_at_home() if folder.ok else ()),
        _client("ssh", "`mctl ssh` needs it", "openssh-client"),
        _client("docker", "a machine's context and `eval $(mctl env)` are for it", "docker-cli"),
        *_provider(provider, options),
    ]


def could_create(findings: list[Finding]) -> bool:
    """Tell whether nothing that `create` needs is amiss."""
    return all(finding.ok or not finding.needed for finding in findings)


def _home() -> Finding:
    folder = os.environ.get("MCTL_HOME") or "~/.mctl"
    try:
        folder = home()
        with tempfile.TemporaryFile(dir=folder):
            return Finding("Home", ok=True, value=folder)
    except OSError as error:
        mend = "export MCTL_HOME=FOLDER, one that you may write to"
        return Finding("Home", ok=False, value=f"{folder} can't be written: {error.strerror}", mend=mend)


def _kept_at_home() -> Iterator[Finding]:
    yield _passphrase()
    yield from programs()


def programs() -> list[Finding]:
    """Say which Pulumi engine and which plugins are in use, with their versions, making none."""
    return [_pulumi(), *_plugins()]


def _passphrase() -> Finding:
    try:
        there = passphrase.exists()
    except (MctlError, OSError) as error:
        return Finding("Passphrase", ok=False, value=str(error), mend=getattr(error, "mend", None) or "")
    return Finding("Passphrase", ok=True, value="present" if there else "none yet: the first create makes one")


def _pulumi() -> Finding:
    name = "Pulumi engine"
    try:
        found = pulumi_program.look()
        return Finding(name, ok=True, value=f"{found.version}, {found.origin}: {found.path}")
    except PreCreateError as error:
        if not downloads.offline():
            if downloads.reachable():
                return Finding(name, ok=True, value="none yet: the first create installs it")
            go = shutil.which("go")
            if go and not go_build.refusal(go):
                return Finding(name, ok=True, value="none yet: the first create builds it with Go, in a few minutes")
        return Finding(name, ok=False, value=error.message, mend=error.mend or "")


def _plugins() -> Iterator[Finding]:
    for plugin in served_plugins.NAMES:
        name = f"Plugin {plugin}"
        try:
            found = served_plugins.look(plugin, Path(home("pulumi")))
        except (PreCreateError, OSError) as error:
            yield Finding(name, ok=False, value=str(error), mend=getattr(error, "mend", None) or "")
            continue
        yield Finding(name, ok=True, value=f"{found.version}, {_origin(found.origin)}")


def _origin(origin: str) -> str:
    if origin:
        return "official" if origin == "official" else "mctl's own"
    can_download = not downloads.offline() and not downloads.known_unreachable() and downloads.reachable()
    return "official: the first create downloads it" if can_download else "mctl's own: the official one can't be had"


def _client(program: str, why: str, package: str) -> Finding:
    path = shutil.which(program)
    if path:
        return Finding(f"{program} client", ok=True, value=path, needed=False)
    return Finding(f"{program} client", ok=False, value=f"missing: {why}", mend=_install(package), needed=False)


def _install(package: str) -> str:
    return f"sudo apt install {package}" if shutil.which("apt-get") else f"install {package}"


def _provider(provider: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    try:
        driver = load(provider)
        yield Finding("Provider", ok=True, value=driver.name)
        if driver.account:
            yield from driver.account(read_args(driver, "", options))
    except MctlError as error:
        yield Finding("Provider", ok=False, value=error.message, mend=error.mend or "")
        return
    if driver.name == "qemu":
        yield from _qemu()


def _qemu() -> Iterator[Finding]:
    from infra.plugins.hypervisor import debian_image, requirements

    programs = [Finding(each.what, each.ok, each.found, each.mend) for each in requirements.check_host()]
    yield from programs
    if all(program.ok for program in programs):
        yield _acceleration()
    if absent := debian_image.missing_programs():
        value = f"missing: {', '.join(absent)}; where Debian's image can't be downloaded, one is built with them"
        yield Finding("Image builder", ok=False, value=value, mend=_install(" ".join(absent)), needed=False)


def _acceleration() -> Finding:
    from infra.plugins.hypervisor import accelerator

    found = asyncio.run(accelerator.probe())
    value = f"{found.name}: {found.reason}"
    if found.name != "tcg":
        return Finding("Acceleration", ok=True, value=value)
    mend = "none needed: machines work by emulation, several times slower"
    return Finding("Acceleration", ok=False, value=value, mend=mend, needed=False)
