"""The project folder: Pulumi.yaml and, per stack, the declaration in Pulumi.<stack>.yaml.

The declaration is what people edit, so its comments and order survive our edits. One editor at a time, one rename per
edit. `ls` reads it too, so what is imported slowly is imported where it is needed.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import infra
from infra.authority import ADOPTED as ADOPTED_GENERATION
from infra.authority import AuthoritySpec
from infra.errors import MctlError, UsageError
from infra.machine import LOGIN_KEY, NAMESPACE, MachineSpec
from infra.stacks.home import around, home

if TYPE_CHECKING:
    from ruamel.yaml import YAML

PROJECT = "mctl"
KEY = "mctl:machines"
AUTHORITY = "mctl:authority"
ADOPTED = "mctl:adoptedAuthority"
SSH_KEY = f"{NAMESPACE}:{LOGIN_KEY}"
FORMERLY = "formerly"
KEYS = (KEY, AUTHORITY, ADOPTED)
NEARLY = 0.85
REQUIRED = ("name", "runtime")
SECRETS = {"encryptionsalt", "encryptedkey", "secretsprovider"}


def find_project() -> Path:
    """Find the nearest Pulumi.yaml of ours upward from the current folder, else use mctl's home as the project.

    Ours is one whose `name` is `mctl`. Raises UsageError for one that lacks what Pulumi needs.
    """
    for folder in map(Path, around()):
        file = folder / "Pulumi.yaml"
        if file.is_file():
            settings = _read(file)
            if settings.get("name") in (PROJECT, None):
                _check(file, settings)
                return folder
    return _home_project()


def stacks(project: Path) -> list[str]:
    """List the stacks that the project folder declares."""
    return sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in project.glob("Pulumi.*.yaml"))


def stack_exists(project: Path, stack: str) -> bool:
    """Tell whether the project folder has a file of that stack."""
    return _file(project, stack).exists()


def machines(project: Path, stack: str) -> dict[str, Any]:
    """Read the machines that a stack declares, by name. Raises UsageError for a file that can't be read."""
    declared = (_read(_file(project, stack)).get("config") or {}).get(KEY) or {}
    if not isinstance(declared, dict):
        raise UsageError(f"{_file(project, stack)}: {KEY} is not a mapping of machine names to settings")
    return declared


def providers(project: Path, stack: str) -> dict[str, str]:
    """Read which machines a stack declares, and each one's provider. Raises UsageError for a file that can't be read.

    Of a thousand machines it takes a tenth of a second, and `machines` two: libyaml keeps no comments.
    """
    declared = _read_fast(_file(project, stack)) or machines(project, stack)
    entries = {str(name): entry if isinstance(entry, Mapping) else {} for name, entry in declared.items()}
    return {name: str(entry.get("provider", "")) for name, entry in entries.items()}


def stack_of(project: Path, machine: str) -> str | None:
    """Find the stack that declares a machine."""
    return next((stack for stack in stacks(project) if machine in machines(project, stack)), None)


def declare(project: Path, stack: str, spec: MachineSpec) -> None:
    """Write a machine into a stack's declaration; what stays of an entry that is there keeps its comments."""
    with _editing(project, stack) as config:
        declared, entry = config.setdefault(KEY, {}), spec.to_config()
        known = declared.get(spec.name)
        if not known or known.merge or known.yaml_anchor():  # what others refer to, or refers to others
            declared[spec.name] = entry
            return
        for key in known.keys() - entry.keys():
            del known[key]
        known.update({key: value for key, value in entry.items() if known.get(key) != value})


def rename(project: Path, stack: str, old: str, new: str) -> None:
    """Give a machine another name in its stack's declaration, at the same place, with the SSH key kept for it."""
    from ruamel.yaml.comments import CommentedMap

    with _editing(project, stack) as config:
        declared = config[KEY]
        place, comment, entry = list(declared).index(old), declared.ca.items.get(old), declared.pop(old)
        if entry.yaml_anchor():
            entry = CommentedMap(entry)  # others refer to its settings, and keep their names
        entry.insert(0, FORMERLY, old)  # what stands above the next machine belongs to this one's last setting
        declared.insert(place, new, entry)
        if comment:
            declared.ca.items[new] = comment
        login = config.pop(f"{SSH_KEY}{old}", None)
        if login:
            config[f"{SSH_KEY}{new}"] = login


def forget_former_names(project: Path, stack: str) -> None:
    """Take the names before their renaming out of a stack's declaration."""
    if not former_names(project, stack):
        return
    with _editing(project, stack) as config:
        for entry in config[KEY].values():
            entry.pop(FORMERLY, None)


def former_names(project: Path, stack: str) -> dict[str, str]:
    """Give, by its name, the name before of each machine whose renaming has begun and not ended."""
    entries = machines(project, stack).items()
    return {name: entry[FORMERLY] for name, entry in entries if isinstance(entry, dict) and entry.get(FORMERLY)}


def declares(project: Path, stack: str, machine: str) -> bool:
    """Tell whether a stack declares a machine."""
    return machine in machines(project, stack)


def own_path(project: Path, path: str) -> str:
    """Give a path as the declaration has it: relative to the project's folder where it is in there, for teammates."""
    return Path(path).relative_to(project).as_posix() if Path(path).is_relative_to(project) else path


def place(project: Path, stack: str, setting: Sequence[str]) -> str:
    """Give the file and the line of a setting below `mctl:machines`, or of what is nearest above it: `FILE:LINE`."""
    file = _file(project, stack)
    settings, line = _read(file), None
    for key in ("config", KEY, *setting):
        try:
            line, settings = settings.lc.key(key)[0] + 1, settings[key]
        except (AttributeError, KeyError, TypeError):
            break
    return f"{file}:{line}" if line else str(file)


def check(project: Path, stack: str) -> None:
    """Refuse what can only be meant otherwise: a key that is nearly ours, and a machine that two stacks declare.

    Raises UsageError that names the file and the line.
    """
    for key in _read(_file(project, stack)).get("config") or {}:
        near = get_close_matches(str(key), KEYS, 1, NEARLY) if key not in KEYS else ()
        if near:
            raise UsageError(f"{_file(project, stack)}: {key} is no setting of mctl; did you mean {near[0]!r}?")
    declared = set(providers(project, stack))
    for other in stacks(project):
        for name in sorted(declared & set(providers(project, other))) if other != stack else ():
            first, second = place(project, stack, (name,)), place(project, other, (name,))
            raise UsageError(
                f"{first}: machine {name!r} is declared in {second} too",
                machine=name,
                mend="give one of them another name",
            )


def backend(project: Path) -> str:
    """Give the URL of the backend that the project itself names, or nothing."""
    return str((_read(project / "Pulumi.yaml").get("backend") or {}).get("url") or "")


def is_ours_alone(project: Path, stack: str) -> bool:
    """Tell whether a stack's file holds nothing but machines and what opens its secrets."""
    settings = _read(_file(project, stack))
    others = (key for key in settings.get("config") or {} if not key.startswith(SSH_KEY))
    return set(settings) <= SECRETS | {"config"} and set(others) <= {KEY, AUTHORITY, ADOPTED}


def discard(project: Path, stack: str) -> None:
    """Delete the declaration of a stack that is no more."""
    _file(project, stack).unlink(missing_ok=True)


def withdraw(project: Path, stack: str, machine: str) -> None:
    """Take a machine out of a stack's declaration, with the SSH key that is kept there for it."""
    with _editing(project, stack) as config:
        config.setdefault(KEY, {}).pop(machine, None)
        config.pop(f"{SSH_KEY}{machine}", None)


def authority(project: Path, stack: str) -> AuthoritySpec:
    """Read which generations of the stack's authority count. Raises UsageError for what can't mean anything."""
    return AuthoritySpec.from_config((_read(_file(project, stack)).get("config") or {}).get(AUTHORITY))


def declare_authority(project: Path, stack: str, spec: AuthoritySpec) -> None:
    """Write which generations of the stack's authority count; an adopted one that counts no more is dropped."""
    with _editing(project, stack) as config:
        config[AUTHORITY] = spec.to_config()
        if not config[AUTHORITY]:
            del config[AUTHORITY]
        if ADOPTED_GENERATION not in spec.generations:
            config.pop(ADOPTED, None)


def settings(project: Path, stack: str) -> dict[str, Any]:
    """Read the whole config of a stack as plain values; secrets are in it as the engine wrote them."""
    plain: dict[str, Any] = json.loads(json.dumps(_read(_file(project, stack)).get("config") or {}, default=str))
    return plain


def declare_settings(project: Path, stack: str, values: Mapping[str, Any]) -> None:
    """Write entries into the config of a stack."""
    with _editing(project, stack) as config:
        config.update(values)


@contextmanager
def alone(project: Path, stack: str) -> Iterator[None]:
    """Keep other editors of a stack's declaration waiting, for what the engine itself writes into it."""
    with _one_editor(_file(project, stack)):
        yield


@contextmanager
def _editing(project: Path, stack: str) -> Iterator[dict[str, Any]]:
    file = _file(project, stack)
    with _one_editor(file):
        settings = _read(file)
        yield settings.setdefault("config", {})
        text = io.StringIO()
        _yaml().dump(settings, text)
        _write(file, text.getvalue())


def _file(project: Path, stack: str) -> Path:
    return project / f"Pulumi.{stack}.yaml"


@contextmanager
def _one_editor(file: Path) -> Iterator[None]:
    from filelock import FileLock

    name = sha256(str(file.resolve()).encode()).hexdigest()[:16]
    with FileLock(Path(home("locks"), f"{name}.lock")):
        yield


def _yaml() -> YAML:
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 1 << 16  # a key or a salt stays on its line
    return yaml


def _read(file: Path) -> Any:
    if not file.exists():
        return {}
    from ruamel.yaml.error import YAMLError

    try:
        return _yaml().load(file.read_text()) or {}
    except (YAMLError, UnicodeDecodeError, OSError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{file}:{mark.line + 1}" if mark else str(file)
        reason = (getattr(error, "problem", None) or str(error)).splitlines()[0]
        raise UsageError(f"{place} can't be read: {reason}", mend=f"mend it by hand, or restore it: {file}") from None


def _read_fast(file: Path) -> dict[str, Any] | None:
    """Read the machines of a plain declaration, every value as text; None where it takes the slow way to tell more."""
    import yaml  # type: ignore[import-untyped]

    try:
        content = file.read_bytes()
        if b"<<" in content:  # it merges nothing
            return None
        declared = yaml.load(content, yaml.CBaseLoader)["config"][KEY]  # noqa: S506 - it makes nothing but text
    except (OSError, yaml.YAMLError, AttributeError, KeyError, TypeError):
        return None
    return declared if isinstance(declared, dict) else None


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text)
        fresh.replace(file)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise MctlError(
            f"{file} can't be written: {error.strerror}", mend=f"make room or rights in {file.parent}"
        ) from None


def _check(file: Path, settings: Any) -> None:
    missing = [key for key in REQUIRED if not settings.get(key)]
    if missing:
        raise UsageError(
            f"{file} has no `{missing[0]}`",
            mend=f"add `name: {PROJECT}` and `runtime: python`, or work in another folder",
        )


def _home_project() -> Path:
    """Keep a Pulumi.yaml in mctl's home, so that `pulumi up` works there by hand too."""
    folder = Path(home())
    text = (
        f"name: {PROJECT}\n"
        "description: Docker hosts, declared under mctl:machines in Pulumi.<stack>.yaml\n"
        f"main: {Path(infra.__file__).parent}\n"
        "backend:\n"
        f"  url: {Path(home('state')).as_uri()}\n"
        "runtime:\n"
        "  name: python\n"
        "  options:\n"
        f"    virtualenv: {sys.prefix}\n"
    )
    file = folder / "Pulumi.yaml"
    if not file.exists() or file.read_text() != text:
        _write(file, text)
    return folder
