"""What is read from the engine's events."""

from __future__ import annotations

from typing import Any

from pulumi.automation.events import StepEventMetadata

from infra.stacks import steps
from infra.stacks.steps import Change, Difference, Drift

SECRET = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": "[secret]"}
UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def step(op: str, old: dict[str, Any] | None, new: dict[str, Any] | None, **more: Any) -> StepEventMetadata:
    states = {"old": old and {"inputs": old, "outputs": old}, "new": new and {"inputs": new, "outputs": new}}
    return StepEventMetadata.from_json({"op": op, "urn": "urn:pulumi:p::m::t::web-vm", "type": "t", **states, **more})


def test_a_replacement_says_what_it_is_necessary_for() -> None:
    planned = step("replace", {"ami": "a", "tag": "x"}, {"ami": "b", "tag": "y"}, diffs=["ami", "tag"], keys=["ami"])
    differences = (Difference("ami", ("- a", "+ b")), Difference("tag", ("- x", "+ y")))
    found = Change("web-vm", "t", "replace", ("ami", "tag"), ("ami",), differences)
    assert steps.change(planned) == found
    assert found.reasons == ("ami",)


def test_what_makes_a_change_necessary_is_told_in_one_order() -> None:
    names = ["ipAddresses", "dnsNames"]
    old, new = dict.fromkeys(names, "a"), dict.fromkeys(names, "b")
    found = [steps.change(step("replace", old, new, diffs=told, keys=told)) for told in (names, names[::-1])]
    assert found[0] == found[1]
    assert found[0]
    assert (found[0].why, found[0].replaces) == (("dnsNames", "ipAddresses"),) * 2


def test_what_stays_and_the_parts_of_a_replacement_are_no_changes() -> None:
    for op in ("same", "refresh", "read", "create-replacement", "delete-replaced"):
        assert steps.change(step(op, {"a": "b"}, {"a": "c"})) is None


def test_secrets_stay_masked_and_unknown_values_are_named() -> None:
    old = {"connection": SECRET, "address": "192.0.2.7", "list": [{"key": SECRET}]}
    new = {"connection": SECRET, "address": UNKNOWN, "list": [{"key": SECRET}, 2]}
    found = steps.change(step("update", old, new, diffs=["connection", "address", "list[1]"]))
    assert found
    assert found.differences == (
        Difference("address", ("- 192.0.2.7", "+ (not known yet)")),
        Difference("connection", ("~ [secret]",)),
        Difference("list", ("-   }", "+   },", "+   2")),
    )


def test_of_a_long_text_only_the_lines_that_differ_are_kept() -> None:
    old, new = (f"a\nMCTL_END_{end}\n{word}\nz\n" for end, word in (("0" * 16, "b"), ("1" * 16, "c")))
    found = steps.change(step("update", {"create": old}, {"create": new}, diffs=["create"]))
    assert found
    assert found.differences == (Difference("create", ("- b", "+ c")),)


def test_drift_names_what_is_gone_and_what_differs() -> None:
    before = {"running": True, "size": "s", "__meta": 1, "key": SECRET}
    assert steps.drift(step("refresh", before, None)) == Drift("web-vm", "t", "gone")
    after = {"running": False, "size": "s", "__meta": 2, "key": SECRET, "rules": ["0.0.0.0/0"]}
    assert steps.drift(step("refresh", before, after)) == Drift(
        "web-vm", "t", "rules: +0.0.0.0/0; running: true -> false"
    )
    assert steps.drift(step("refresh", before, {**before, "__meta": 3})) is None
    assert steps.drift(step("update", before, after)) is None


def test_drift_in_a_list_or_a_mapping_names_the_parts_that_differ() -> None:
    ours = {"port": "22", "from": ["203.0.113.7/32"]}
    by_hand = {"port": "22", "from": ["0.0.0.0/0"]}
    before = {
        "rules": [ours],
        "metadata": {"tokens": "required", "hops": 1},
        "address": "192.0.2.7",
        "keys": ["a", "b"],
    }
    after = {"rules": [ours, by_hand], "metadata": {"tokens": "optional", "hops": 1}, "address": "", "keys": ["b", "a"]}
    assert steps.drift(step("refresh", before, after)) == Drift(
        "web-vm",
        "t",
        "address: 192.0.2.7 -> nothing; "
        'keys: ["a", "b"] -> ["b", "a"]; '
        "metadata.tokens: required -> optional; "
        'rules: +{"port": "22", "from": ["0.0.0.0/0"]}',
    )


def test_drift_of_a_secret_or_a_long_value_is_not_spelled_out() -> None:
    other = {**SECRET, "ciphertext": "[other]"}
    found = steps.drift(step("refresh", {"key": SECRET, "text": ""}, {"key": other, "text": "x" * 200}))
    assert found == Drift("web-vm", "t", f"key: [secret] -> [secret]; text: nothing -> {'x' * 159}…")
