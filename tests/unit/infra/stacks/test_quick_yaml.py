"""What is read quickly is what is read slowly, or it is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]

from infra.errors import UsageError
from infra.stacks import yaml_files
from infra.stacks.quick_yaml import Loader

PLAIN = [
    "web",
    "127.1.0.2",
    "1.2.3",
    "00:16:3e:01:02:03",
    "2g",
    "1-2",
    "a_b",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "N",
    "t",
    "F",
    "v1:a:b",
    "tcp://127.0.0.1:9",
    "'12'",
    '"true"',
    "ssh-ed25519",
    "AAAA=",
    "0.0.0.0/0",
    "::1",
    "fe80::1",
]
TYPED = ["1", "0", "-3", "4096", "1.5", "-0.25", "true", "False", "TRUE", "null", "~", "", "Null", "[a, 1, true]"]
RARE = [
    "017",
    "0o17",
    "0x1f",
    "0b11",
    "1_000",
    "1e3",
    "+5",
    ".5",
    "5.",
    ".inf",
    "-.inf",
    ".nan",
    "<<",
    "=",
    "1.5e3",
    "-1_0",
    "0.1_2",
    "+1.5",
    "08",
    "00",
    "-07",
    "1__",
    "2026-11-28",
    "2026-11-28T10:00:00Z",
]


@pytest.mark.parametrize("value", [*PLAIN, *TYPED])
def test_a_plain_value_is_read_quickly_as_the_slow_way_reads_it(value: str) -> None:
    text = f"config:\n  {{}}\nkey: {value}\n"
    assert json.dumps(yaml.load(text, Loader)) == json.dumps(yaml_files.parse(text))


@pytest.mark.parametrize("value", RARE)
def test_a_rare_value_is_left_to_the_slow_way(value: str) -> None:
    text = f"key: {value}\n"
    with pytest.raises(yaml.YAMLError):
        yaml.load(text, Loader)
    assert yaml_files.as_plain(text) == json.loads(json.dumps(yaml_files.parse(text), default=str))


@pytest.mark.parametrize("value", ["!!python/object/apply:os.getcwd []", "!mine x", "&a [*a]"])
def test_what_is_no_plain_value_is_refused_both_ways_or_read_alike(value: str) -> None:
    with pytest.raises((yaml.YAMLError, ValueError, TypeError)):
        json.dumps(yaml.load(f"key: {value}\n", Loader))


def test_a_merge_is_read_the_slow_way(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text("base: &base {a: 1}\nconfig:\n  web: {<<: *base, b: 2}\n")
    assert yaml_files.read_plain(file)["config"] == {"web": {"a": 1, "b": 2}}


@pytest.mark.parametrize("text", ["a: 1\nb: {x: 1, x: 2}\n", "a: [\n", "\tb: 1\n"])
def test_a_file_that_cannot_be_read_is_refused_with_its_line(text: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(text)
    with pytest.raises(UsageError, match=rf"^{file}:[12]"):
        yaml_files.read_plain(file)


def test_a_file_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert yaml_files.read_plain(tmp_path / "Pulumi.prod.yaml") == {}
