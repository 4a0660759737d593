from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from infra.components import refusals
from infra.components.drivers import none, read_args
from infra.components.drivers.none import DRIVER, endpoint
from infra.errors import PreCreateError, UsageError
from infra.machine import EngineSpec, MachineSpec
from tests.certificates import Authority
from tests.unit.infra.components.test_machine import Built


def spec(**options: Any) -> MachineSpec:
    return MachineSpec(name="build", provider="none", options={"url": "tcp://192.0.2.7:2375", **options})


def checked(wanted: MachineSpec) -> MachineSpec:
    return DRIVER.check(wanted, read_args(DRIVER, wanted.name, wanted.options))


@pytest.fixture
def certificates(tmp_path: Path) -> Path:
    authority = Authority()
    client = authority.client()
    for file, text in (("ca.pem", authority.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
        (tmp_path / file).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("tcp://192.0.2.7:2375", "192.0.2.7", 2375),
        ("tcp://[2001:db8::1]:2377/", "2001:db8::1", 2377),
        ("tcp://build.example.com", "build.example.com", 2376),
        ("localhost", "localhost", 2376),
        ("localhost:4243", "localhost", 4243),
    ],
)
def test_a_url_names_host_and_port(url: str, host: str, port: int) -> None:
    assert endpoint("build", url) == (host, port)


@pytest.mark.parametrize(
    "url",
    ["unix:///var/run/docker.sock", "ssh://host", "tcp://", "tcp://h:0x", "tcp://h:99999", "tcp://u@h", "tcp://h/x"],
)
def test_what_is_no_address_of_a_daemon_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as raised:
        checked(spec(url=url))
    assert raised.value.message == f"--none-url {url!r} is not tcp://HOST:PORT"


def test_the_certificates_folder_becomes_absolute(certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(certificates.parent)
    assert checked(spec(cert_path=certificates.name)).options["cert_path"] == str(certificates)


def test_certificates_that_are_missing_or_do_not_fit_are_refused(certificates: Path) -> None:
    (certificates / "key.pem").write_text(Authority().client().key)
    with pytest.raises(PreCreateError, match="can't be used: KEY_VALUES_MISMATCH") as raised:
        checked(spec(cert_path=str(certificates)))
    assert raised.value.mend == none.MEND
    (certificates / "key.pem").unlink()
    with pytest.raises(PreCreateError, match=r"can't be read: .*No such file.*key\.pem"):
        checked(spec(cert_path=str(certificates)))


@pytest.mark.parametrize(
    ("setting", "option"),
    [
        ({"engine": EngineSpec(labels=("a=b",))}, "--engine-…"),
        ({"tls_sans": ("other",)}, "--tls-san"),
        ({"ssh_host_key": "accept-new"}, "--ssh-host-key"),
        ({"ssh_proxy_jump": "jump"}, "--ssh-proxy-jump"),
        ({"provision_scripts": ("x.sh",)}, "--provision-script"),
    ],
)
def test_what_is_for_a_host_is_refused(setting: dict[str, Any], option: str) -> None:
    with pytest.raises(UsageError) as raised:
        refusals.check(MachineSpec(name="build", provider="none", options={"url": "h"}, **setting))
    assert raised.value.message == f"{option}: provider none changes nothing on the daemon's host"


def test_nothing_is_made_and_the_given_certificates_are_its_own(certificates: Path) -> None:
    built = Built(spec(cert_path=str(certificates)))
    assert {kind for kind, name in built.sent if name.startswith("build")} == {
        "mctl:infra:Machine",
        "mctl:infra:GenericHost",
    }
    assert built.values["docker_url"] == "tcp://192.0.2.7:2375"
    assert (built.values["ssh_user"], built.values["ssh_port"], built.values["engine_version"]) == ("", 0, "")
    for part, file in none.FILES.items():
        assert built.values[part] == (certificates / file).read_text()
    assert "client_key" in built.secret


def test_without_certificates_the_stacks_own_are_its() -> None:
    assert Built(spec()).values["ca_cert"] == "CA"
