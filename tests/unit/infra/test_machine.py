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


def test_a_whole_number_is_taken_for_a_version() -> None:
    assert MachineSpec.from_config("web-1", {"provider": "qemu", "engine": {"version": 27}}).engine.version == "27"


@pytest.mark.parametrize("san", ["web.example", "*.web.example", "192.0.2.7", "2001:db8::7", "_dmarc.example"])
def test_names_wildcards_and_addresses_go_into_the_certificate(san: str) -> None:
    assert MachineSpec(name="web-1", provider="qemu", tls_sans=(san,)).tls_sans == (san,)


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
        ({"provider": "qemu", "engine": "docker"}, "web-1.engine is 'docker' and must be a mapping"),
        ({"provider": "qemu", "engine": {"version": 27.1}}, "web-1.engine.version is 27.1 and must be text"),
        ({"provider": "qemu", "running": "no"}, "web-1.running is 'no' and must be true or false"),
        ({"provider": "qemu", "tls_sans": "a.example"}, "web-1.tls_sans is 'a.example' and must be a list of texts"),
        ({"provider": "qemu", "options": ["memory"]}, "web-1.options is ['memory'] and must be a mapping"),
        (
            {"provider": "qemu", "tls_sans": ["a.example - b"]},
            "'a.example - b' is neither a host name nor an IP address",
        ),
        ({"provider": "qemu", "engine": {"version": "latest; rm -rf /"}}, "is not a version"),
        ({"provider": "qemu", "engine": {"labels": ["tier"]}}, "engine setting 'tier' is not KEY=VALUE"),
    ],
)
def test_a_bad_declaration_says_what_is_wrong(declared: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        MachineSpec.from_config("web-1", declared)  # type: ignore[arg-type]
    assert message in error.value.message
