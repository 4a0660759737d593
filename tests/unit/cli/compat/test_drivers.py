"""docker-machine's drivers: every flag is known, and what has a provider becomes its options."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from openstack.config import OpenStackConfig

from cli.compat import drivers, flags
from cli.compat.driver_flags import DRIVERS
from infra.errors import UsageError

# How many flags each driver of docker-machine 0.16.2 has.
COUNTS = {
    "amazonec2": 32,
    "azure": 22,
    "digitalocean": 14,
    "exoscale": 12,
    "generic": 5,
    "google": 18,
    "hyperv": 8,
    "none": 1,
    "openstack": 30,
    "rackspace": 10,
    "softlayer": 16,
    "virtualbox": 16,
    "vmwarefusion": 8,
    "vmwarevcloudair": 13,
    "vmwarevsphere": 16,
}


def test_every_flag_of_every_driver_is_listed_under_its_name() -> None:
    assert {driver: len({flag.name for flag in known}) for driver, known in DRIVERS.items()} == COUNTS
    for driver, known in DRIVERS.items():
        assert all(flag.name.startswith(f"{driver}-") for flag in known) or driver == "none"


@pytest.mark.parametrize(
    ("driver", "name", "default", "variable"),
    [
        ("amazonec2", "region", "us-east-1", "AWS_DEFAULT_REGION"),
        ("amazonec2", "security-group", ("docker-machine",), "AWS_SECURITY_GROUP"),
        ("amazonec2", "request-spot-instance", False, ""),
        ("azure", "ssh-user", "docker-user", "AZURE_SSH_USER"),
        ("google", "disk-size", 10, "GOOGLE_DISK_SIZE"),
        ("softlayer", "hourly-billing", True, "SOFTLAYER_HOURLY_BILLING"),
        ("vmwarevsphere", "cfgparam", (), "VSPHERE_CFGPARAM"),
    ],
)
def test_a_flag_has_its_default_and_its_variable(driver: str, name: str, default: flags.Value, variable: str) -> None:
    (flag,) = [flag for flag in DRIVERS[driver] if flag.name == f"{driver}-{name}"]
    assert (flag.default, type(flag.default), flag.env) == (default, type(default), variable)


@pytest.mark.parametrize(
    ("line", "driver"),
    [
        ("", "virtualbox"),
        ("-d generic x", "generic"),
        ("x --driver=google", "google"),
        ("-driver azure --driver amazonec2", "amazonec2"),
        ("-- -d generic", "virtualbox"),
        ("-d", "virtualbox"),
    ],
)
def test_the_driver_is_found_before_the_flags_are_known(
    line: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MACHINE_DRIVER", raising=False)
    assert drivers.chosen(line.split()) == driver


def test_the_environment_names_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "google")
    assert (drivers.chosen([]), drivers.chosen(["-d", "azure"])) == ("google", "azure")


def test_generic_is_generic() -> None:
    values: dict[str, flags.Value] = {"generic-ip-address": "192.0.2.1", "generic-ssh-port": 2222, "engine-opt": ("a",)}
    assert drivers.options_of("generic", values) == ("generic", {"ip_address": "192.0.2.1", "ssh_port": 2222})


def test_virtualbox_becomes_qemu_with_its_own_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert drivers.options_of("virtualbox", {}) == ("qemu", {"memory": 1024, "cpu_count": 1, "disk_size": 20})
    assert capsys.readouterr().err == "Notice: a machine of driver virtualbox is one of provider qemu here\n"


def test_virtualbox_is_virtualbox_where_its_program_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "VBoxManage").write_text("#!/bin/sh\n")
    (tmp_path / "VBoxManage").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    values: dict[str, flags.Value] = {"virtualbox-memory": 3000, "virtualbox-disk-size": 20481}
    assert drivers.options_of("virtualbox", values) == ("virtualbox", {"memory": 3000, "disk_size": 20481})


def test_a_folder_is_shared_where_one_is_named_and_no_share_wins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "VBoxManage").write_text("#!/bin/sh\n")
    (tmp_path / "VBoxManage").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    values: dict[str, flags.Value] = {"virtualbox-share-folder": "/src:code"}
    assert drivers.options_of("virtualbox", values) == ("virtualbox", {"share_folder": "/src:code"})
    assert drivers.options_of("virtualbox", values | {"virtualbox-no-share": True}) == ("virtualbox", {})
    assert capsys.readouterr().err == ""


def test_megabytes_become_gibibytes_and_minus_one_processor_is_all(capsys: pytest.CaptureFixture[str]) -> None:
    values: dict[str, flags.Value] = {
        "virtualbox-disk-size": 20481,
        "virtualbox-cpu-count": -1,
        "virtualbox-no-share": True,
        "virtualbox-no-dns-proxy": True,
        "qemu-memory": 3000,
    }
    cpus = min(os.cpu_count() or 1, 32)
    assert drivers.options_of("virtualbox", values) == ("qemu", {"memory": 3000, "cpu_count": cpus, "disk_size": 21})
    assert capsys.readouterr().err.endswith("Notice: provider qemu has no use for --virtualbox-no-dns-proxy\n")


def test_a_provider_of_mctl_is_a_driver_too() -> None:
    assert {"qemu-memory", "qemu-open-port"} <= {flag.name for flag in drivers.flags_of("qemu")}
    assert drivers.options_of("qemu", {"qemu-open-port": ("80",)}) == ("qemu", {"open_port": ("80",)})


@pytest.mark.parametrize(
    ("driver", "message"),
    [
        ("generic", "generic driver requires the --generic-ip-address option"),
        ("none", "none driver requires the --none-url option"),
    ],
)
def test_what_cannot_be_made_is_refused(driver: str, message: str) -> None:
    with pytest.raises(UsageError) as raised:
        drivers.options_of(driver, {})
    assert raised.value.message == message


def test_vspheres_login_goes_where_the_vendors_chain_looks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    login: dict[str, flags.Value] = {
        "vmwarevsphere-vcenter": "vc.example.com",
        "vmwarevsphere-username": "ops",
        "vmwarevsphere-password": "hush",
    }
    for variable in ("VSPHERE_VCENTER", "VSPHERE_USER", "VSPHERE_PASSWORD"):
        monkeypatch.setenv(variable, "")
    options: dict[str, flags.Value] = {"vmwarevsphere-datastore": "ssd", "vsphere-template": "debian-12"}
    expected = ("vsphere", {"datastore": "ssd", "template": "debian-12"})
    assert drivers.options_of("vmwarevsphere", login | options) == expected
    assert [os.environ[name] for name in ("VSPHERE_VCENTER", "VSPHERE_USER", "VSPHERE_PASSWORD")] == [
        "vc.example.com",
        "ops",
        "hush",
    ]
    assert "hush" not in capsys.readouterr().err


def test_how_openstacks_api_is_reached_goes_where_sdk_and_plugin_look(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = ("OS_CACERT", "OS_INSECURE", "OS_ENDPOINT_TYPE")
    for variable in variables:
        monkeypatch.setenv(variable, "")
    values: dict[str, flags.Value] = {
        "openstack-cacert": "/etc/cloud.pem",
        "openstack-insecure": True,
        "openstack-endpoint-type": "internalURL",
        "openstack-flavor-name": "m1.small",
    }
    assert drivers.options_of("openstack", values) == ("openstack", {"flavor_name": "m1.small"})
    assert [os.environ[name] for name in variables] == ["/etc/cloud.pem", "True", "internalURL"]
    said = "Notice: credentials are not kept: set OS_CACERT, OS_INSECURE, OS_ENDPOINT_TYPE for later commands too\n"
    assert capsys.readouterr().err == said
    monkeypatch.delenv("OS_CACERT")  # of the two, OS_INSECURE makes it idle, and openstacksdk warns of that
    chosen: Any = OpenStackConfig(load_yaml_config=False).get_one(auth_type="none")
    assert chosen.get_interface("compute") == "internalURL"
    assert chosen.get_requests_verify_args() == (False, None)


def test_vcloud_airs_options_are_cloud_directors_and_its_password_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VCD_USER", "ops")
    monkeypatch.setenv("VCD_PASSWORD", "")
    values: dict[str, flags.Value] = {
        "vmwarevcloudair-username": "ops",
        "vmwarevcloudair-password": "hush",
        "vmwarevcloudair-vdcid": "prod",
        "vmwarevcloudair-computeid": "M123",
        "vmwarevcloudair-publicip": "198.51.100.7",
        "vmwarevcloudair-ssh-port": 2222,
    }
    assert drivers.options_of("vmwarevcloudair", values) == (
        "vcd",
        {"vdcid": "prod", "publicip": "198.51.100.7", "ssh_port": 2222},
    )
    assert os.environ["VCD_PASSWORD"] == "hush"
    assert capsys.readouterr().err == (
        "Notice: credentials are not kept: set VCD_PASSWORD for later commands too\n"
        "Notice: provider vcd has no use for --vmwarevcloudair-computeid\n"
    )
