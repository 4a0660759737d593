from dataclasses import fields

import pytest

from infra.components import drivers
from infra.errors import UsageError


@pytest.mark.parametrize("name", drivers.names())
def test_every_driver_of_the_table_loads_under_its_own_name(name: str) -> None:
    assert drivers.load(name).name == name


@pytest.mark.parametrize("name", drivers.names())
def test_every_option_of_every_driver_has_help(name: str) -> None:
    driver = drivers.load(name)
    assert [field.name for field in fields(driver.args) if not field.metadata["help"]] == []


def test_an_unknown_provider_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError) as error:
        drivers.load("qmeu")
    assert error.value.message == "unknown provider 'qmeu'; did you mean 'qemu'?"
    assert error.value.mend == f"--provider takes one of: {', '.join(sorted(drivers.TABLE))}"


def test_options_are_read_by_their_types() -> None:
    args = drivers.read_args(drivers.load("generic"), "box", {"ip_address": "192.0.2.7", "ssh_port": "2222"})
    assert (args.ip_address, args.ssh_port, args.ssh_user) == ("192.0.2.7", 2222, "root")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "provider generic needs --generic-ip-address"),
        ({"ip_adress": "x"}, "provider generic has no option 'ip_adress'; did you mean 'ip_address'?"),
        ({"ip_address": "x", "ssh_port": "twenty"}, "--generic-ssh-port 'twenty' is not a valid int"),
    ],
)
def test_bad_options_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as error:
        drivers.read_args(drivers.load("generic"), "box", options)
    assert error.value.message == message
