"""Groups in files: written, spread over stacks, scaled, and what others' names keep from being made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from infra.errors import MctlError, NameTakenError, NotFoundError, UsageError
from infra.machine import MachineSpec, SwarmSpec
from infra.stacks import fleets, machines, project, records
from tests.cli_runner import mctl_home
from tests.stack_outputs import outputs

__all__ = ["mctl_home"]
WEB = MachineSpec(name="web", provider="digitalocean", options={"size": "s-1vcpu-1gb"})


def silence(_step: object) -> None:
    pass


class Opened:
    """A stack that can be made."""

    def __init__(self, *_: object, **__: object) -> None:
        pass


@pytest.fixture
def folder(mctl_home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fleets, "MOST_IN_A_STACK", 3)
    monkeypatch.setattr(fleets, "Stack", Opened)
    monkeypatch.setattr(machines, "checked", lambda _folder, spec: spec)
    return project.find_project()


def made(folder: Path, *stacks: str) -> None:
    """Give records to all machines of these stacks, and to no others."""
    for name in records.names():
        records.remove(name)
    for stack in stacks:
        for name in project.machines(folder, stack):
            records.save(outputs(name), stack=stack, project=str(folder))


def read(folder: Path, stack: str) -> Any:
    return YAML(typ="safe").load(folder / f"Pulumi.{stack}.yaml")["config"]


def write(folder: Path, stack: str, config: dict[str, Any], **more: str) -> None:
    with (folder / f"Pulumi.{stack}.yaml").open("w") as file:
        YAML().dump({**more, "config": config}, file)


def test_a_large_group_is_spread_over_stacks_and_each_file_is_whole_in_itself(folder: Path) -> None:
    assert fleets.declare(WEB, 7, "web", silence) == fleets.Fleet(folder, "web", ["web", "web_2", "web_3"])
    shared = {**WEB.to_config(), "per_stack": 3}
    assert read(folder, "web") == {"mctl:groups": {"web": {"count": 7, **shared}}}
    assert read(folder, "web_2") == {"mctl:partOf": "web", "mctl:groups": {"web": {"count": 6, **shared}}}
    assert read(folder, "web_3") == {"mctl:partOf": "web", "mctl:groups": {"web": {"count": 7, **shared}}}
    assert [list(project.machines(folder, stack)) for stack in ("web", "web_2", "web_3")] == [
        ["web-1", "web-2", "web-3"],
        ["web-4", "web-5", "web-6"],
        ["web-7"],
    ]
    assert project.stack_of(folder, "web-5") == "web_2"
    assert project.providers(folder, "web_2") == dict.fromkeys(("web-4", "web-5", "web-6"), "digitalocean")


def test_the_same_create_goes_on_with_what_is_not_finished_and_a_finished_group_is_not_made_twice(folder: Path) -> None:
    fleets.declare(WEB, 7, "web", silence)
    made(folder, "web", "web_3")
    assert fleets.declare(WEB, 7, "web", silence).stacks == ["web_2"]
    made(folder, "web", "web_2", "web_3")
    with pytest.raises(NameTakenError) as refused:
        fleets.declare(WEB, 7, "web", silence)
    assert (refused.value.message, refused.value.mend) == ('group "web" already exists', "mctl scale web 7")


def test_scaling_touches_the_stacks_alone_whose_machines_change(folder: Path) -> None:
    fleets.declare(WEB, 6, "web", silence)
    made(folder, "web", "web_2")
    before = [(folder / f"Pulumi.{stack}.yaml").read_bytes() for stack in ("web_2",)]
    assert fleets.apply_scale("web", 8, silence).stacks == ["web_3"]
    assert [(folder / f"Pulumi.{stack}.yaml").read_bytes() for stack in ("web_2",)] == before
    assert fleets.scale("web", 2).gone == ["web-3", "web-4", "web-5", "web-6", "web-7", "web-8"]
    assert fleets.apply_scale("web", 2, silence).stacks == ["web", "web_2", "web_3"]
    assert [list(project.machines(folder, stack)) for stack in ("web", "web_2", "web_3")] == [
        ["web-1", "web-2"],
        [],
        [],
    ]


def test_a_group_that_was_made_in_one_stack_is_spread_only_beyond_it(folder: Path) -> None:
    write(folder, "prod", {"mctl:groups": {"web": {"count": 5, **WEB.to_config()}}})
    made(folder, "prod")
    fleets.apply_scale("web", 8, silence)
    assert list(project.machines(folder, "prod")) == [f"web-{n}" for n in range(1, 6)]
    assert list(project.machines(folder, "prod_2")) == ["web-6", "web-7", "web-8"]


def test_a_file_that_says_all_is_left_as_people_wrote_it(folder: Path) -> None:
    text = "config: # ours\n    mctl:groups:\n        web: {count: 2,   provider: digitalocean}\n"
    (folder / "Pulumi.prod.yaml").write_text(text)
    fleets.fleet("prod")
    assert (folder / "Pulumi.prod.yaml").read_text() == text


def test_a_stack_with_a_swarm_is_never_spread(folder: Path) -> None:
    write(folder, "prod", {"mctl:groups": {"web": {"count": 9, **WEB.to_config()}}, "mctl:swarm": {"managers": 3}})
    assert fleets.fleet("prod").stacks == ["prod"]
    assert len(project.machines(folder, "prod")) == 9


def test_a_part_has_the_settings_of_its_fleet_and_keeps_its_own_authority(folder: Path) -> None:
    group = {"count": 4, "machines": {"web-4": {"running": False}, "web-1": {"running": False}}, **WEB.to_config()}
    config = {"mctl:groups": {"web": group}, "aws:region": "eu-1", "mctl:authority": {"signs": 2}}
    write(folder, "prod", {**config, "other:key": {"secure": "v1:a"}}, encryptionsalt="v1:salt")
    fleets.fleet("prod")
    part = read(folder, "prod_2")
    assert (part["aws:region"], part["other:key"], "mctl:authority" in part) == ("eu-1", {"secure": "v1:a"}, False)
    assert part["mctl:groups"]["web"]["machines"] == {"web-4": {"running": False}}
    assert YAML(typ="safe").load(folder / "Pulumi.prod_2.yaml")["encryptionsalt"] == "v1:salt"
    write(folder, "prod_2", {**part, "mctl:authority": {"signs": 3}}, encryptionsalt="v1:other")
    with pytest.raises(UsageError) as refused:
        fleets.fleet("prod")
    assert refused.value.message.startswith("other:key is a secret, and stack prod_2 was made before it could share")
    write(folder, "prod", config, encryptionsalt="v1:salt")
    fleets.fleet("prod")
    assert read(folder, "prod_2")["mctl:authority"] == {"signs": 3}


def test_a_change_to_a_machine_of_a_part_is_said_in_the_fleets_file_too(folder: Path) -> None:
    fleets.declare(WEB, 4, "web", silence)
    project.declare(folder, "web_2", MachineSpec(name="web-4", provider="digitalocean", options={"size": "large"}))
    for stack in ("web", "web_2"):
        assert read(folder, stack)["mctl:groups"]["web"]["machines"] == {"web-4": {"options": {"size": "large"}}}
    project.withdraw(folder, "web_2", "web-4")
    assert read(folder, "web")["mctl:groups"]["web"]["count"] == 3
    assert list(project.machines(folder, "web_2")) == []


def test_names_that_other_machines_have_are_refused_and_nothing_is_written(folder: Path) -> None:
    project.declare(folder, "old", MachineSpec(name="web-2", provider="qemu"))
    with pytest.raises(NameTakenError, match='machine "web-2" is declared in stack old'):
        fleets.declare(WEB, 3, "web", silence)
    records.save(outputs("web-3"), stack="elsewhere", project=str(folder))
    project.withdraw(folder, "old", "web-2")
    with pytest.raises(NameTakenError, match='machine "web-3" already exists'):
        fleets.declare(WEB, 3, "web", silence)
    assert not project.stack_exists(folder, "web")


def test_hosts_that_are_there_already_are_no_group_by_number(folder: Path) -> None:
    with pytest.raises(UsageError) as refused:
        fleets.declare(MachineSpec(name="web", provider="generic"), 2, "web", silence)
    assert refused.value.mend == "declare web under mctl:groups in Pulumi.web.yaml, then mctl up web"


def test_what_up_would_remove_is_known_before_it_does(folder: Path) -> None:
    fleets.declare(WEB, 3, "web", silence)
    made(folder, "web")
    write(folder, "web", {"mctl:groups": {"web": {"count": 1, **WEB.to_config()}}})
    assert fleets.fleet("web").gone == ["web-2", "web-3"]


@pytest.mark.parametrize("act", [lambda: fleets.scale("nope", 1), lambda: fleets.apply_scale("nope", 1, silence)])
@pytest.mark.usefixtures("folder")
def test_a_group_that_is_not_there_is_named(act: Any) -> None:
    with pytest.raises(NotFoundError) as refused:
        act()
    error: MctlError = refused.value
    assert (error.message, error.mend) == ('there is no group "nope"', "mctl create nope --count N …")


def test_the_managers_of_a_swarm_begin_in_different_zones(folder: Path) -> None:
    spread = replace(WEB, provider="aws", options={"instance_type": "t3.small"}, zones=("a", "b", "c"))
    fleets.declare(spread, 5, "web", silence, SwarmSpec())
    others = {"b": ["b", "c", "a"], "c": ["c", "a", "b"]}
    own = {zone: {"zones": zones, "options": {"zone": zone}} for zone, zones in others.items()}
    assert read(folder, "web") == {
        "mctl:groups": {
            "web": {
                "count": 5,
                **spread.to_config(),
                "machines": {
                    "web-1": {"options": {"zone": "a"}},
                    "web-2": own["b"],
                    "web-3": own["c"],
                    "web-4": {"options": {"zone": "a"}},
                    "web-5": own["b"],
                },
            }
        },
        "mctl:swarm": {"managers": 3},
    }
