"""Write docs/providers/: a page per provider, made of what its driver says of itself, and one that lists them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from textwrap import fill
from typing import Any

from cli.compat.driver_flags import DRIVERS
from cli.compat.drivers import CREDENTIAL, PRIVATE_ONLY, RENAMED, USER_DATA
from infra.components import drivers
from infra.components.drivers import Driver

FOLDER = Path(__file__).parents[1] / "docs" / "providers"
PLACES: dict[str, Callable[[Driver], bool]] = {
    "On this computer": lambda driver: driver.is_local,
    "What is there already": lambda driver: not driver.makes_vm,
    "Clouds and data centres": lambda driver: driver.makes_vm and not driver.is_local,
}
SHARED = {USER_DATA: "--user-data", PRIVATE_ONLY: "--private-address-only"}
WIDTH: dict[str, Any] = {"width": 120, "break_long_words": False, "break_on_hyphens": False}
COMMON = """\
Every machine gets SSH keys of its own, a pinned host key, and Docker behind TLS. `--allow-cidr` says who may reach SSH
and Docker where the provider has a firewall (by default the address that this computer has on the internet)."""


def page(driver: Driver) -> Iterator[str]:
    """Give a provider's page, paragraph by paragraph."""
    about = driver.about
    assert about, driver.name  # noqa: S101 - every driver says what it is about
    yield f"# {about.title} (`{driver.name}`)"
    names = sorted(alias for alias, name in drivers.ALIASES.items() if name == driver.name)
    former = [name for name in names if name in DRIVERS]
    if names:
        yield f"{'docker-machine called it' if former else 'It is also called'} `{names[0]}`: that name works too."
    yield f"```console\n$ {about.example}\n```"
    yield fill(f"**What one machine is.** {about.makes}", **WIDTH)
    yield fill(f"**What it costs.** {about.costs}", **WIDTH)
    yield fill(f"**Credentials.** {' '.join([about.credentials, *doctor(driver)])}", **WIDTH)
    yield COMMON
    yield "## Options"
    rows = (row(driver, declared) for declared in fields(driver.args))
    yield "\n".join(["| option | variable | default | |", "|---|---|---|---|", *rows])
    replaced = [line for former_name in (driver.name, *former) for line in former_options(driver, former_name)]
    if replaced:
        yield "## docker-machine's options"
        yield "\n".join(["| docker-machine | here |", "|---|---|", *replaced])
    if driver.policy:
        yield "## Permissions"
        yield f"`mctl policy {driver.name}` prints the least that are needed:"
        yield f"```\n{driver.policy}\n```"


def doctor(driver: Driver) -> Iterator[str]:
    """Say what `mctl doctor` answers there, and what it can't."""
    asked = f"`mctl doctor --provider {driver.name}` says"
    if driver.is_local:
        yield f"{asked} which of the programs that it needs are missing."
    elif driver.account:
        yield f"{asked} who you are, where, and which permissions and quotas are missing."
    if driver.about and driver.about.untold:
        yield driver.about.untold


def row(driver: Driver, declared: Field[object]) -> str:
    """Write an option's line."""
    default = declared.default
    needed = default is MISSING and declared.default_factory is MISSING
    every = default if isinstance(default, tuple) else (default,)
    shown = "needed" if needed else ", ".join(f"`{each}`" for each in every if each not in (MISSING, "", False))
    variable = f"`{declared.metadata['env']}`" if declared.metadata["env"] else ""
    cells = (f"`{drivers.flag(driver, declared)}`", variable, shown, declared.metadata["help"])
    return f"| {' | '.join(cells)} |"


def former_options(driver: Driver, former: str) -> Iterator[str]:
    """Say what became of each of docker-machine's options."""
    spelled = {
        spelling: drivers.flag(driver, declared)
        for declared in fields(driver.args)
        for spelling in (drivers.flag(driver, declared), *declared.metadata["aliases"])
    }
    for flag in DRIVERS.get(former, ()):
        option = f"--{flag.name}"
        variable = RENAMED.get(flag.env, flag.env)
        handed_on = f"variable `{variable}`" if variable and CREDENTIAL.search(flag.name) else "no use"
        shared = next((f"`{spelling}`" for pattern, spelling in SHARED.items() if pattern.search(option)), "")
        here = f"`{spelled[option]}`" if option in spelled else shared or handed_on
        yield f"| `{option}` | {here} |"


def index(known: Sequence[Driver]) -> Iterator[str]:
    """List the providers by where their machines are."""
    yield "# Providers"
    yield "`--provider` says where a machine is made. `mctl create --provider NAME --help` lists that one's options."
    for title, belongs in PLACES.items():
        yield f"## {title}"
        yield "\n".join(f"- {link(driver)}" for driver in known if belongs(driver))


def link(driver: Driver) -> str:
    """Lead to a provider's page."""
    names = (driver.name, *(alias for alias, name in drivers.ALIASES.items() if name == driver.name))
    return f"[{driver.about.title if driver.about else ''}]({driver.name}.md): `{'` or `'.join(names)}`"


def pages() -> dict[str, str]:
    """Give every page by its file's name."""
    loaded = [drivers.load(name) for name in drivers.names()]
    texts = {f"{driver.name}.md": page(driver) for driver in loaded} | {"index.md": index(loaded)}
    return {name: "\n\n".join(text) + "\n" for name, text in texts.items()}


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    sys.stdout.write(f"{len(pages())} pages\n")
