"""The project folder: Pulumi.yaml and, per stack, the declaration in Pulumi.<stack>.yaml.

The declaration is what people edit, so its comments and order survive our edits. One editor at a time, one rename per
edit. `ls` reads it too, so what is imported slowly is imported where it is needed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from infra.authority import ADOPTED as ADOPTED_GENERATION
from infra.authority import AuthoritySpec
from infra.errors import UsageError
from infra.groups import OWN, Group, expand, leave_out, part_number, put_own, read_groups
from infra.machine import LOGIN_KEY, MACHINES, NAMESPACE, MachineSpec, SwarmSpec
from infra.stacks.home import around
from infra.stacks.home_project import PROJECT as PROJECT
from infra.stacks.home_project import PROVIDER, home_project
from infra.stacks.yaml_files import (
    as_plain,
    as_yaml,
    nearest,
    one_editor,
    parse,
    read,
    read_plain,
    write,
    write_settings,
)

KEY = MACHINES
GROUPS = "mctl:groups"
PART_OF = "mctl:partOf"
SWARM = "mctl:swarm"
AUTHORITY = "mctl:authority"
ADOPTED = "mctl:adoptedAuthority"
SSH_KEY = f"{NAMESPACE}:{LOGIN_KEY}"
OWNER = "mctl:owner"
FORMERLY, MADE_AS = "formerly", "made_as"
BY_PASSPHRASE = "passphrase"  # noqa: S105 - the kind, not the word
OUR_KEYS = {KEY, GROUPS, PART_OF, SWARM, AUTHORITY, ADOPTED, OWNER}
REQUIRED = ("name", "runtime")
SECRETS = {"encryptionsalt", "encryptedkey", PROVIDER}


def find_project() -> Path:
    """Find the nearest Pulumi.yaml of ours upward from the current folder, else use mctl's home as the project.

    Ours is one whose `name` is `mctl`. Raises UsageError for one that lacks what Pulumi needs.
    """
    for folder in map(Path, around()):
        file = folder / "Pulumi.yaml"
        if file.is_file():
            settings = read_plain(file)
            if settings.get("name") in (PROJECT, None):
                _check(file, settings)
                return folder
    return home_project()


def stacks(project: Path) -> list[str]:
    """List the stacks that the project folder declares."""
    return sorted(file.name[len("Pulumi.") : -len(".yaml")] for file in project.glob("Pulumi.*.yaml"))


def stack_exists(project: Path, stack: str) -> bool:
    """Tell whether the project folder has a file of that stack."""
    return file_of(project, stack).exists()


def machines(project: Path, stack: str) -> dict[str, Any]:
    """Read the machines that a stack declares, by name. Raises UsageError for a file that can't be read."""
    return _expand(project, stack, settings(project, stack))


def providers(project: Path, stack: str) -> dict[str, str]:
    """Read which machines a stack declares, and each one's provider. Raises UsageError as `machines` does."""
    declared = machines(project, stack)
    entries = {name: entry if isinstance(entry, Mapping) else {} for name, entry in declared.items()}
    return {name: str(entry.get("provider", "")) for name, entry in entries.items()}


def groups(project: Path, stack: str) -> dict[str, Group]:
    """Read the groups that a stack declares, by name. Raises UsageError."""
    with named(project, stack):
        return read_groups(settings(project, stack).get(GROUPS))


def group_of(project: Path, stack: str, machine: str) -> Group | None:
    """Find the group that a machine of a stack is one of."""
    return next((group for group in groups(project, stack).values() if group.number(machine)), None)


def fleet_of(project: Path, stack: str) -> str:
    """Give the stack that a stack is a part of, or its own name."""
    return str(settings(project, stack).get(PART_OF) or stack)


def parts(project: Path, fleet: str) -> list[str]:
    """List the further parts of a fleet, in order."""
    named = [stack for stack in stacks(project) if stack.startswith(f"{fleet}_")]
    found = [stack for stack in named if fleet_of(project, stack) == fleet]
    return sorted(found, key=lambda stack: part_number(stack, fleet))


def was_opened(project: Path, stack: str) -> bool:
    """Tell whether a stack's file has what opens its secrets, which the engine writes when it makes a stack."""
    return not SECRETS.isdisjoint(whole(project, stack))


def stack_of(project: Path, machine: str) -> str | None:
    """Find the stack that declares a machine."""
    return next((stack for stack in stacks(project) if machine in machines(project, stack)), None)


def declare(project: Path, stack: str, spec: MachineSpec) -> None:
    """Write a machine into a stack's declaration; what stays of an entry that is there keeps its comments.

    Of a machine of a group, what differs from the others is written.
    """
    group = group_of(project, stack, spec.name)
    if group:
        own = group.difference(spec.to_config())
        for each in _fleet(project, stack):
            with editing(project, each) as config:
                put_own(config[GROUPS][group.name], spec.name, own)
        return
    with editing(project, stack) as config:
        declared = config.setdefault(KEY, {})
        entry = _made_as(declared, spec.name) | spec.to_config()
        known = declared.get(spec.name)
        if not known or known.merge or known.yaml_anchor():  # what others refer to, or refers to others
            declared[spec.name] = entry
            return
        for key in known.keys() - entry.keys():
            del known[key]
        known.update({key: value for key, value in entry.items() if known.get(key) != value})


def _made_as(declared: Mapping[str, Any], name: str) -> dict[str, str]:
    """Keep the name that a machine was made under; of a new one it is none that a renamed one goes by."""
    if known := declared.get(name):
        return {MADE_AS: known[MADE_AS]} if MADE_AS in known else {}
    taken = {entry.get(MADE_AS) for entry in declared.values() if isinstance(entry, dict)}
    if name not in taken:
        return {}
    others = (f"{name}-{number}" for number in count(2))
    return {MADE_AS: next(other for other in others if other not in taken | declared.keys())}


def rename(project: Path, stack: str, old: str, new: str) -> None:
    """Give a machine another name in its stack's declaration, at the same place, with the SSH key kept for it."""
    from ruamel.yaml.comments import CommentedMap

    with editing(project, stack) as config:
        declared = config[KEY]
        place, comment, entry = list(declared).index(old), declared.ca.items.get(old), declared.pop(old)
        if entry.yaml_anchor():
            entry = CommentedMap(entry)  # others refer to its settings, and keep their names
        if MADE_AS not in entry:
            entry.insert(0, MADE_AS, old)
        entry.insert(0, FORMERLY, old)  # what stands above the next machine belongs to this one's last setting
        declared.insert(place, new, entry)
        if comment:
            declared.ca.items[new] = comment
        login = config.pop(f"{SSH_KEY}{old}", None)
        if login:
            config[f"{SSH_KEY}{new}"] = login
        if (config.get(SWARM) or {}).get("lead") == old:
            config[SWARM]["lead"] = new


def forget_former_names(project: Path, stack: str) -> None:
    """Take the names before their renaming out of a stack's declaration."""
    if not former_names(project, stack):
        return
    with editing(project, stack) as config:
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
    """Give the file and the line where a machine's setting is declared, or what is nearest above it: `FILE:LINE`."""
    machine, *own = setting
    group, _, _ = machine.rpartition("-")
    paths = [[KEY, *setting], [GROUPS, group, OWN, *setting], [GROUPS, group, *own]]
    return nearest(file_of(project, stack), [["config", *path] for path in paths])


def backend(project: Path) -> str:
    """Give the URL of the backend that the project itself names, or nothing."""
    return str((read_plain(project / "Pulumi.yaml").get("backend") or {}).get("url") or "")


def set_backend(project: Path, url: str) -> None:
    """Write where the stack state is into Pulumi.yaml, for `pulumi` by hand too."""
    _set(project / "Pulumi.yaml", "backend", {"url": url})


def secrets_provider(project: Path, stack: str) -> str:
    """Give what encrypts a stack's secrets, a new one's as the project has it; nothing for a passphrase."""
    settings = read_plain(file_of(project, stack))
    if not SECRETS & set(settings):
        settings = read_plain(project / "Pulumi.yaml")
    return str(settings.get(PROVIDER) or "").removeprefix(BY_PASSPHRASE)


def set_secrets_provider(project: Path, provider: str) -> None:
    """Write what encrypts the secrets of stacks to come into Pulumi.yaml."""
    _set(project / "Pulumi.yaml", PROVIDER, provider)


def owner(project: Path, stack: str) -> str:
    """Give the id that a stack kept when its state was moved, or nothing."""
    return str(settings(project, stack).get(OWNER) or "")


def read_text(project: Path, stack: str) -> str:
    """Read the file of a stack as it is, or nothing."""
    file = file_of(project, stack)
    return file.read_text() if file.exists() else ""


def write_text(project: Path, stack: str, text: str) -> None:
    """Write the file of a stack."""
    with alone(project, stack):
        write(file_of(project, stack), text)


def take_over(project: Path, stack: str, text: str, config: Mapping[str, Any]) -> None:
    """Write the file of a stack as another computer has it, with this config."""
    with alone(project, stack):
        write_settings(file_of(project, stack), {**parse(text), "config": dict(config)})


def is_ours_alone(project: Path, stack: str) -> bool:
    """Tell whether a stack's file holds nothing but machines and what opens its secrets."""
    settings = read_plain(file_of(project, stack))
    others = (key for key in settings.get("config") or {} if not key.startswith(SSH_KEY))
    return set(settings) <= SECRETS | {"config"} and set(others) <= OUR_KEYS


def discard(project: Path, stack: str) -> None:
    """Delete the declaration of a stack that is no more."""
    file_of(project, stack).unlink(missing_ok=True)


def withdraw(project: Path, stack: str, machine: str) -> None:
    """Take a machine out of a stack's declaration, with the SSH key that is kept there for it."""
    group = group_of(project, stack, machine)
    if group:
        for each in _fleet(project, stack):
            with editing(project, each) as config:
                leave_out(config[GROUPS], group.name, machine)
                config.pop(f"{SSH_KEY}{machine}", None)
        return
    with editing(project, stack) as config:
        config.setdefault(KEY, {}).pop(machine, None)
        config.pop(f"{SSH_KEY}{machine}", None)


def swarm(project: Path, stack: str) -> SwarmSpec | None:
    """Read the Swarm that a stack declares. Raises UsageError for what can't mean anything."""
    return SwarmSpec.from_config(settings(project, stack).get(SWARM))


def declare_swarm(project: Path, stack: str, spec: SwarmSpec) -> None:
    """Write the Swarm that the machines of a stack form."""
    with editing(project, stack) as config:
        config[SWARM] = spec.to_config()


def authority(project: Path, stack: str) -> AuthoritySpec:
    """Read which generations of the stack's authority count. Raises UsageError for what can't mean anything."""
    return AuthoritySpec.from_config(settings(project, stack).get(AUTHORITY))


def declare_authority(project: Path, stack: str, spec: AuthoritySpec) -> None:
    """Write which generations of the stack's authority count; an adopted one that counts no more is dropped."""
    with editing(project, stack) as config:
        config[AUTHORITY] = spec.to_config()
        if not config[AUTHORITY]:
            del config[AUTHORITY]
        if ADOPTED_GENERATION not in spec.generations:
            config.pop(ADOPTED, None)


def settings(project: Path, stack: str) -> dict[str, Any]:
    """Read the whole config of a stack as plain values; secrets are in it as the engine wrote them."""
    return whole(project, stack).get("config") or {}


def settings_in(text: str) -> dict[str, Any]:
    """Read the config in the text of a stack's file, as `settings` does."""
    return dict(as_plain(text).get("config") or {})


def whole(project: Path, stack: str) -> dict[str, Any]:
    """Read all of a stack's file as plain values; nothing where there is none."""
    return read_plain(file_of(project, stack))


def write_whole(project: Path, stack: str, settings: Mapping[str, Any], comment: str) -> None:
    """Write a stack's file anew, with a comment above."""
    with one_editor(file_of(project, stack)):
        write(file_of(project, stack), f"# {comment}.\n{as_yaml(settings)}")


def declare_settings(project: Path, stack: str, values: Mapping[str, Any]) -> None:
    """Write entries into the config of a stack."""
    with editing(project, stack) as config:
        config.update(values)


def _set(file: Path, key: str, value: Any) -> None:
    settings = read(file)
    settings[key] = value
    write_settings(file, settings)


@contextmanager
def alone(project: Path, stack: str) -> Iterator[None]:
    """Keep other editors of a stack's declaration waiting, for what the engine itself writes into it."""
    with one_editor(file_of(project, stack)):
        yield


@contextmanager
def editing(project: Path, stack: str) -> Iterator[dict[str, Any]]:
    """Give the config of a stack to be changed, and write it in one go at the end."""
    file = file_of(project, stack)
    with one_editor(file):
        settings = read(file)
        yield settings.setdefault("config", {})
        write_settings(file, settings)


def file_of(project: Path, stack: str) -> Path:
    """Give the file that declares a stack."""
    return project / f"Pulumi.{stack}.yaml"


def _fleet(project: Path, stack: str) -> dict[str, None]:
    """Give the stacks whose files tell of a stack's machines: a part has what its fleet has."""
    return dict.fromkeys((fleet_of(project, stack), stack))


def _expand(project: Path, stack: str, config: Mapping[str, Any]) -> dict[str, Any]:
    with named(project, stack):
        return expand(config.get(KEY), config.get(GROUPS), stack, str(config.get(PART_OF) or ""))


@contextmanager
def named(project: Path, stack: str) -> Iterator[None]:
    """Say of a refusal which file it is about, and which line."""
    try:
        yield
    except UsageError as error:
        at = place(project, stack, error.setting) if error.setting else file_of(project, stack)
        raise UsageError(f"{at}: {error.message}", machine=error.machine, mend=error.mend) from None


def _check(file: Path, settings: Any) -> None:
    missing = [key for key in REQUIRED if not settings.get(key)]
    if missing:
        raise UsageError(
            f"{file} has no `{missing[0]}`",
            mend=f"add `name: {PROJECT}` and `runtime: python`, or work in another folder",
        )
