"""Checks and diffs beyond the recorded ones."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from infra.plugins.command.__main__ import PLUGIN
from infra.plugins.server import Servicer
from infra.plugins.wire import UNKNOWN, is_secret, plain, secret
from tests.unit.infra.plugins.command_calls import LOCAL, REMOTE
from tests.unit.infra.plugins.replay import answer


def check(urn: str, news: dict[str, Any]) -> dict[str, Any]:
    return answer(Servicer(PLUGIN, None), "Check", {"urn": urn, "news": news})


def diff(urn: str, olds: dict[str, Any], news: dict[str, Any], **more: Any) -> dict[str, Any]:
    return answer(Servicer(PLUGIN, None), "Diff", {"urn": urn, "id": "x", "olds": olds, "news": news} | more)


def test_a_proxy_gets_the_same_defaults_and_secret_marks() -> None:
    proxy = {"host": "bastion", "password": "p"}
    checked = check(REMOTE, {"connection": {"host": "h", "proxy": proxy}})["inputs"]["connection"]
    defaults = {"user": "root", "port": 22, "dialErrorLimit": 10, "perDialTimeout": 15}
    assert is_secret(checked)
    assert plain(checked) == {"host": "h", "proxy": proxy | defaults} | defaults
    assert is_secret(checked["value"]["proxy"]["password"])


def test_a_connection_that_is_not_known_yet_stays_so_and_is_secret() -> None:
    assert check(REMOTE, {"connection": UNKNOWN})["inputs"]["connection"] == secret(UNKNOWN)


def test_unknown_and_missing_properties_are_refused_without_showing_a_value() -> None:
    checked = check(REMOTE, {"connection": {"private_key": "TOP SECRET"}, "creat": "x"})
    reasons = {failure["property"]: failure["reason"] for failure in checked["failures"]}
    assert set(reasons) == {"creat", "connection.private_key", "connection.host"}
    assert "TOP SECRET" not in str(reasons)
    assert check(REMOTE, {"create": "x"})["failures"] == [
        {"property": "connection", "reason": "missing required property 'connection'"}
    ]


@pytest.mark.parametrize(
    ("olds", "news", "detailed"),
    [
        ({"dir": "/"}, {}, {"dir": {"kind": "DELETE"}}),
        ({"triggers": [1]}, {"triggers": [1, 2]}, {"triggers[1]": {}}),
        ({"triggers": [1, 2]}, {"triggers": [1]}, {"triggers[1]": {"kind": "DELETE"}}),
        ({}, {"triggers": [1]}, {"triggers": {"kind": "ADD_REPLACE"}}),
        ({"triggers": [1]}, {}, {"triggers": {"kind": "DELETE_REPLACE"}}),
        ({"environment": {"a.b": "1"}}, {"environment": {"a.b": "2"}}, {'environment["a.b"]': {"kind": "UPDATE"}}),
        ({"stdin": secret("a")}, {"stdin": secret("b")}, {"stdin": {"kind": "UPDATE"}}),
        ({"stdin": "a"}, {"stdin": UNKNOWN}, {"stdin": {"kind": "UPDATE"}}),
        ({"stdin": "a", "stdout": "x"}, {"stdin": "a"}, {}),
        ({"stdin": secret("a")}, {"stdin": "a"}, {}),
    ],
)
def test_a_diff_names_the_path_and_the_kind(
    olds: dict[str, Any], news: dict[str, Any], detailed: dict[str, Any]
) -> None:
    found = diff(LOCAL, olds, news)
    assert found.get("detailedDiff", {}) == detailed
    assert found["changes"] == ("DIFF_SOME" if detailed else "DIFF_NONE")


def test_triggers_that_come_as_a_whole_replace() -> None:
    assert diff(LOCAL, {}, {"triggers": [1]})["replaces"] == ["triggers"]


def test_ignored_changes_are_no_change() -> None:
    assert diff(LOCAL, {"create": "a"}, {"create": "b"}, ignoreChanges=["create"])["changes"] == "DIFF_NONE"


def test_starting_the_plugin_does_not_load_asyncssh() -> None:
    code = "import sys, infra.plugins.command.__main__; print('asyncssh' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"
