"""The Engine component: two commands, in order, and no secret where it could be read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_command as command
import pytest
from pulumi.runtime import rpc

from infra.components.engine import Engine, version_in
from infra.errors import UsageError
from infra.machine import EngineSpec

CERT = "-----BEGIN CERTIFICATE-----\nY2VydA==\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n-----END EC PRIVATE KEY-----\n"


# Pulumi's own decorator for tests that end in an output, with the type that it lacks.
awaited: Callable[[Callable[[], Any]], Callable[[], Any]] = pulumi.runtime.test


class Recorder(pulumi.runtime.Mocks):
    """Stand for the Pulumi engine; refuse what an Engine has no business to make."""

    def __init__(self) -> None:
        self.inputs: dict[str, dict[str, Any]] = {}

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.inputs[args.name] = dict(args.inputs)
        if args.typ in ("mctl:infra:Engine", "test:index:Host"):
            return "", {}
        assert args.typ == "command:remote:Command", args.typ
        stdout = "engine-version: 28.2.2\n" if args.name.endswith("-configure") else ""
        return f"{args.name}-id", {**args.inputs, "stdout": stdout, "stderr": ""}

    def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
        raise AssertionError(f"unexpected call {args.token}")


class Host(pulumi.ComponentResource):
    def __init__(self) -> None:
        super().__init__("test:index:Host", "host")


class Built:
    """An Engine, what was sent for each of its resources, and the options that each was given."""

    def __init__(self, *, running: bool = True, spec: EngineSpec | None = None) -> None:
        recorder = Recorder()
        pulumi.runtime.set_mocks(recorder, project="mctl", stack="test", preview=False)
        self.inputs, self.options = recorder.inputs, dict[str, pulumi.ResourceOptions]()
        self.host = Host()
        self.engine = Engine(
            "box",
            spec=spec or EngineSpec(),
            connection=command.remote.ConnectionArgs(host="192.0.2.1", user="root"),
            vm=self.host,
            instance_id="vm-1",
            ca_cert=CERT,
            server_cert=CERT,
            server_key=KEY,
            provider="generic",
            port=2376,
            running=running,
            opts=pulumi.ResourceOptions(transformations=[self._note]),
        )

    def _note(self, args: pulumi.ResourceTransformationArgs) -> None:
        self.options[args.name] = args.opts


@awaited
def test_the_version_is_what_the_daemon_said_and_no_secret() -> Any:
    engine = Built().engine

    def check(values: list[Any]) -> None:
        assert values == ["28.2.2", False]

    return pulumi.Output.all(engine.engine_version, pulumi.Output.is_secret(engine.engine_version)).apply(check)


@awaited
def test_an_engine_is_two_commands_and_the_key_travels_by_secret_standard_input() -> Any:
    built = Built()

    def check(_: str) -> None:
        assert sorted(built.inputs) == ["box-configure", "box-engine", "box-install", "host"]
        install, configure = built.inputs["box-install"], built.inputs["box-configure"]
        assert "stdin" not in install
        assert "PRIVATE KEY" not in configure["create"]
        assert configure["stdin"][rpc._special_sig_key] == rpc._special_secret_sig
        assert KEY in configure["stdin"]["value"]
        for sent in (install, configure):
            assert sent["addPreviousOutputInEnv"] is False
            assert sent["logging"] == "stderr"
            assert sent["triggers"] == ["vm-1"]  # another host may have the same address
            assert not {"delete", "update"} & set(sent)

    return built.engine.engine_version.apply(check)


@awaited
def test_the_daemons_environment_travels_by_secret_standard_input_alone() -> Any:
    built = Built(spec=EngineSpec(env=("HTTP_PROXY=http://me:hunter2@proxy:3128",)))

    def check(_: str) -> None:
        for sent in (built.inputs["box-install"], built.inputs["box-configure"]):
            assert "hunter2" not in sent["create"]
            assert "hunter2" in sent["stdin"]["value"]
            assert sent["stdin"][rpc._special_sig_key] == rpc._special_secret_sig

    return built.engine.engine_version.apply(check)


@awaited
def test_configure_waits_for_install_and_both_are_deleted_with_the_vm() -> Any:
    built = Built()

    def check(_: str) -> None:
        install, configure = built.options["box-install"], built.options["box-configure"]
        assert [resource._name for resource in configure.depends_on] == ["box-install"]  # type: ignore[union-attr]
        for options in (install, configure):
            assert options.deleted_with is built.host
            assert options.custom_timeouts is not None
            assert not options.ignore_changes

    return built.engine.engine_version.apply(check)


@awaited
def test_a_host_that_is_switched_off_is_not_asked_to_do_anything_again() -> Any:
    built = Built(running=False)

    def check(_: str) -> None:
        for name in ("box-install", "box-configure"):
            assert built.options[name].ignore_changes == ["connection", "create", "stdin", "triggers"]

    return built.engine.engine_version.apply(check)


def test_an_option_that_mctl_sets_itself_stops_before_anything_is_made() -> None:
    with pytest.raises(UsageError, match="tlsverify is set by mctl"):
        Built(spec=EngineSpec(opts=("tlsverify=false",)))


@pytest.mark.parametrize(
    ("stdout", "version"),
    [("engine-version: 28.2.2\n", "28.2.2"), ("motd\nengine-version: 20.10.24+dfsg1\n", "20.10.24+dfsg1"), ("", "")],
)
def test_the_version_is_found_among_other_words(stdout: str, version: str) -> None:
    assert version_in(stdout) == version
