import pytest

from infra.errors import UsageError
from infra.machine import EngineSpec, MachineSpec, check_name


def test_a_spec_survives_the_declaration_and_back() -> None:
    spec = MachineSpec(
        name="web-1",
        provider="qemu",
        options={"memory": 2048, "open_port": ["80"]},
        engine=EngineSpec(install="distro", version="20.10", labels=("tier=web",), env=("HTTP_PROXY=http://p:1",)),
        tls_sans=("web.example",),
        running=False,
    )
    assert MachineSpec.from_config("web-1", spec.to_config()) == spec


def test_a_declaration_leaves_out_what_is_at_its_default() -> None:
    assert MachineSpec(name="web-1", provider="qemu").to_config() == {"provider": "qemu"}


@pytest.mark.parametrize("name", ["a", "web-1", "Web.example", "0x", "a" * 63])
def test_names_that_docker_machine_took_are_taken(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "-a", "a-", ".a", "a_b", "a b", "../a", "a/b", "é", "a" * 64, "a\n"])
def test_illegal_names_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="invalid machine name"):
        check_name(name)


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({}, "mctl:machines: web-1 has no `provider`"),
        ("qemu", "mctl:machines: web-1 is not a mapping"),
        ({"provider": "qemu", "runing": True}, "has no setting 'runing'; did you mean 'running'?"),
        (
            {"provider": "qemu", "engine": {"instal": "none"}},
            "web-1.engine has no setting 'instal'; did you mean 'install'?",
        ),
        ({"provider": "qemu", "engine": {"install": "dokcer"}}, "--engine-install 'dokcer' is none of"),
        ({"provider": "qemu", "engine": {"version": "latest; rm -rf /"}}, "is not a version"),
        ({"provider": "qemu", "engine": {"labels": ["tier"]}}, "engine setting 'tier' is not KEY=VALUE"),
    ],
)
def test_a_bad_declaration_says_what_is_wrong(declared: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        MachineSpec.from_config("web-1", declared)  # type: ignore[arg-type]
    assert message in error.value.message
