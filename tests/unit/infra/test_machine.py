import pytest

from infra.errors import UsageError
from infra.machine import EngineSpec, Jump, MachineSpec, check_name


def test_a_spec_survives_the_declaration_and_back() -> None:
    spec = MachineSpec(
        name="web-1",
        provider="qemu",
        options={"memory": 2048, "open_port": ["80"]},
        engine=EngineSpec(install="distro", version="20.10", labels=("tier=web",), env=("HTTP_PROXY=http://p:1",)),
        tls_sans=("web.example",),
        ssh_proxy_jump="me@bastion.example:2222",
        ssh_proxy_host_key="ssh-ed25519 AAAA",
        ssh_proxy_key="/home/me/key",
        private_address_only=True,
        user_data="cloud.yaml",
        provision_scripts=("a.sh", "b.sh"),
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
        (
            {"provider": "generic", "ssh_proxy_jump": "one,two"},
            "--ssh-proxy-jump 'one,two' is not [USER@]HOST[:PORT]",
        ),
        (
            {"provider": "generic", "ssh_proxy_key": "key"},
            "--ssh-proxy-key is for the host that --ssh-proxy-jump names",
        ),
        ({"provider": "qemu", "engine": {"labels": ["tier"]}}, "engine setting 'tier' is not KEY=VALUE"),
    ],
)
def test_a_bad_declaration_says_what_is_wrong(declared: object, message: str) -> None:
    with pytest.raises(UsageError) as error:
        MachineSpec.from_config("web-1", declared)  # type: ignore[arg-type]
    assert message in error.value.message


@pytest.mark.parametrize(
    ("text", "jump", "whole"),
    [
        ("me@bastion.example", Jump("me", "bastion.example", 22), "me@bastion.example:22"),
        ("m.e+x@192.0.2.7:2222", Jump("m.e+x", "192.0.2.7", 2222), "m.e+x@192.0.2.7:2222"),
        ("me@[2001:db8::7]", Jump("me", "2001:db8::7", 22), "me@[2001:db8::7]:22"),
    ],
)
def test_a_bastion_is_a_user_a_host_and_a_port(text: str, jump: Jump, whole: str) -> None:
    assert (Jump.parse(text), str(jump)) == (jump, whole)
    assert Jump.parse(whole) == jump


def test_a_bastion_without_a_user_is_logged_in_to_by_ones_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "alice")
    assert str(Jump.parse("bastion")) == "alice@bastion:22"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@host",
        "me@",
        "me@host:",
        "me@host:0",
        "me@host:65536",
        "-oProxyCommand=x",
        "me@-x",
        "$(id)",
        "a b",
        "::1",
        "a\n",
    ],
)
def test_what_is_no_bastion_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--ssh-proxy-jump"):
        Jump.parse(text)
