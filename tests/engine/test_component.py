"""The component under the real engine: in a Python program of the user's own, and as programs in other languages."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pulumi
import pulumi_tls as tls
import pytest
from pulumi import automation as auto
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

import infra.package
from infra.components.machine import Machine
from tests.engine.conftest import REPOSITORY, NewStack

URL = {"url": "tcp://192.0.2.7:2376"}
SCHEMA = Path(infra.package.__file__).with_name("schema.json")


def resources(stack: auto.Stack) -> dict[str, dict[str, Any]]:
    """Give what a stack holds, by name."""
    held = (stack.export_stack().deployment or {}).get("resources") or []
    return {resource["urn"].rpartition("::")[2]: resource for resource in held}


def test_a_renamed_machine_with_an_alias_is_the_same_one_and_its_provider_makes_its_keys(new_stack: NewStack) -> None:
    def program(name: str, *aliases: pulumi.Alias) -> Callable[[], None]:
        def run() -> None:
            own = tls.Provider("own")
            opts = pulumi.ResourceOptions(aliases=list(aliases), providers=[own])
            made = Machine(name, opts, provider="none", options=URL, made_as="web")
            pulumi.export("url", made.docker_url)

        return run

    stack = new_stack("component", program("web"), project="shop")
    try:
        made = stack.up()
        assert made.outputs["url"].value == URL["url"]
        key = resources(stack)["web-authority-ca-key"]
        assert "::pulumi:providers:tls::own::" in key["provider"]
        assert "::shop::mctl:infra:Machine$mctl:infra:Authority$tls:" in key["urn"]
        stack.workspace.program = program("shop-1", pulumi.Alias(name="web"))
        summary = stack.up().summary.resource_changes or {}
        assert set(summary) == {"same"}
        renamed = resources(stack)["shop-1-authority-ca-key"]
        assert renamed["outputs"]["publicKeyPem"] == key["outputs"]["publicKeyPem"]
    finally:
        stack.destroy()


class Remote(pulumi.ComponentResource):
    """What the SDK of another language is: a resource of the package, made by its plugin."""

    def __init__(self, name: str, inputs: dict[str, Any]) -> None:
        outputs = {"dockerUrl": None, "clientKey": None}
        super().__init__("mctl:index:Machine", name, inputs | outputs, remote=True)


@pytest.fixture
def package(plugin_folder: Path) -> None:
    """Install the package where the engine looks for its plugin."""
    program = plugin_folder / "pulumi-resource-mctl"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{REPOSITORY}" exec "{sys.executable}" -m infra.package "$@"\n')
    program.chmod(0o755)


@pytest.mark.usefixtures("package")
def test_a_program_in_another_language_makes_the_same_machine(new_stack: NewStack) -> None:
    def program() -> None:
        made = Remote("web", {"provider": "none", "options": URL})
        pulumi.export("url", vars(made)["dockerUrl"])
        pulumi.export("key", vars(made)["clientKey"])

    stack = new_stack("remote", program, project="shop")
    try:
        outputs = stack.up().outputs
        assert (outputs["url"].value, outputs["key"].secret) == (URL["url"], True)
        assert resources(stack)["web"]["type"] == "mctl:infra:Machine"
    finally:
        stack.destroy()


def test_the_schema_in_the_repository_is_what_the_package_says_of_itself() -> None:
    served = subprocess.Popen([sys.executable, "-m", "infra.package", "127.0.0.1:1"], stdout=subprocess.PIPE, text=True)
    try:
        assert served.stdout
        with grpc.insecure_channel(f"127.0.0.1:{served.stdout.readline().strip()}") as channel:
            provider = provider_pb2_grpc.ResourceProviderStub(channel)
            said = provider.GetSchema(provider_pb2.GetSchemaRequest()).schema
    finally:
        served.terminate()
        served.wait()
    assert json.loads(said) == json.loads(SCHEMA.read_text()), "make man writes it anew"
