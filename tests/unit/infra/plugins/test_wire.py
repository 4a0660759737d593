from __future__ import annotations

from google.protobuf import struct_pb2

from infra.plugins.wire import ASSET, SIGNATURE, UNKNOWN, from_struct, has_unknown, is_secret, plain, secret, to_struct


def test_a_secret_keeps_its_value_and_its_mark() -> None:
    marked = secret("s3cret")
    assert marked == {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "value": "s3cret"}
    assert is_secret(marked)
    assert not is_secret({"value": "s3cret"})
    assert not is_secret({SIGNATURE: ASSET, "text": "x"})
    assert not is_secret("s3cret")


def test_plain_strips_secrets_however_deep_and_one_in_the_other() -> None:
    value = {"a": secret({"b": [secret(1.0), {"c": secret(secret("x"))}]}), "d": None}
    assert plain(value) == {"a": {"b": [1, {"c": "x"}]}, "d": None}


def test_plain_leaves_assets_and_fractions_alone() -> None:
    asset = {SIGNATURE: ASSET, "text": "hello", "hash": "5891"}
    assert plain({"source": asset, "half": 0.5, "yes": True}) == {"source": asset, "half": 0.5, "yes": True}


def test_an_unknown_is_found_at_any_depth() -> None:
    assert has_unknown(UNKNOWN)
    assert has_unknown({"a": [1, {"b": secret(UNKNOWN)}]})
    assert not has_unknown({"a": [1, {"b": secret("known")}], "c": None})


def test_properties_come_back_from_a_struct_as_they_went_in() -> None:
    properties = {
        "text": "ü",
        "whole": 2048,
        "fraction": 0.25,
        "yes": True,
        "nothing": None,
        "list": [1, [], {"deep": [2]}],
        "object": {},
        "key": secret("s3cret"),
    }
    read = from_struct(to_struct(properties))
    assert read == properties
    assert isinstance(read["whole"], int)
    assert isinstance(read["list"][2]["deep"][0], int)


def test_an_empty_struct_is_no_properties() -> None:
    assert from_struct(struct_pb2.Struct()) == {}
