"""What docs/declarative.md shows is what can be declared: its YAML is read, its programs are run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pulumi
import pytest
from ruamel.yaml import YAML

import infra.package
from infra.components import refusals
from infra.machine import MACHINES, MachineSpec
from infra.stacks.project import PROJECT
from tests.unit.infra.components.test_engine import awaited
from tests.unit.infra.components.test_machine import Recorder

PAGE = (Path(__file__).parents[4] / "docs/declarative.md").read_text()
SCHEMA = json.loads(Path(infra.package.__file__).with_name("schema.json").read_text())


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_every_machine_of_a_stack_file_can_be_made() -> None:
    read = [YAML(typ="safe").load(text) for text in blocks("yaml")]
    declared = [entry for settings in read for entry in settings.get("config", {}).get(MACHINES, {}).items()]
    assert declared
    for name, entry in declared:
        refusals.check(MachineSpec.from_config(name, entry))


def test_a_program_in_yaml_says_what_the_schema_knows() -> None:
    (program,) = [read for text in blocks("yaml") if "resources" in (read := YAML(typ="safe").load(text))]
    known = SCHEMA["resources"]["mctl:index:Machine"]
    for resource in program["resources"].values():
        assert resource["type"] == "mctl:Machine"
        assert resource["properties"].keys() <= known["inputProperties"].keys()
    for output in program["outputs"].values():
        assert output.removeprefix("${web.").removesuffix("}") in known["properties"]


@pytest.mark.parametrize("program", blocks("python"))
def test_every_program_makes_machines(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, exported = Recorder(), dict[str, Any]()
    monkeypatch.setattr(pulumi, "export", exported.__setitem__)
    config = {f"{PROJECT}:machines": json.dumps({"web-1": {"provider": "qemu"}}), f"{PROJECT}:owner": "me"}
    pulumi.runtime.set_all_config(config)
    pulumi.runtime.set_mocks(recorder, project="shop", stack="prod", preview=False)

    def run() -> pulumi.Output[Any]:
        exec(program, {})
        return pulumi.Output.all(*exported.values())

    try:
        awaited(run)()
    finally:
        pulumi.runtime.set_all_config({})
    made = {name for kind, name in recorder.inputs if kind == "mctl:infra:Machine"}
    assert made & {"web-1", "shop-1"}
    assert {f"{name}-vm" for name in made} <= {name for _, name in recorder.inputs}
