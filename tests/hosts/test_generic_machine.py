"""A machine made of a host that is there already, from create to rm."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import urllib.request

import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options, tiny_image


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    """A shop with the machine `box`, whose engine was installed before."""
    shop = Shop(tmp_path_factory.mktemp("generic"))
    ran = shop.mctl("create", "box", *options(host), "--engine-label", "tier=web", "--tls-san", "box.example")
    assert ran.code == 0, ran.err
    version = host.exec("docker version --format '{{.Server.Version}}'").strip()
    assert re.fullmatch(
        rf"Docker {re.escape(version)} is up and running on box \(install \d+ s, configure \d+ s\)\n", ran.out
    )
    assert "(box) Docker Engine " in ran.err
    assert ran.err.endswith("To see how to connect your Docker client to it, run: mctl env box\n")
    return shop


def test_the_context_reaches_the_daemon_and_runs_a_container(shop: Shop) -> None:
    shop.docker("--context", "box", "import", "-", "tiny", stdin=tiny_image())
    said = shop.docker(
        "--context", "box", "run", "--rm", "--network", "none", "tiny", "/bin/sh", "-c", "echo from inside"
    )
    assert said == "from inside"


def test_labels_arrive_and_the_provider_is_one(shop: Shop) -> None:
    labels = json.loads(shop.docker("--context", "box", "info", "--format", "{{json .Labels}}"))
    assert sorted(labels) == ["provider=generic", "tier=web"]


def test_without_a_certificate_the_daemon_answers_nobody(shop: Shop, host: ContainerHost) -> None:
    context = ssl.create_default_context(cafile=shop.home / "machines" / "box" / "ca.pem")
    with pytest.raises(OSError, match=r"(?i)certificate required|alert|reset|closed"):
        urllib.request.urlopen(f"https://{host.address}:2376/version", context=context, timeout=20).read()


def test_the_server_certificate_names_every_address_and_wish(shop: Shop, host: ContainerHost) -> None:
    pem = ssl.get_server_certificate((host.address, 2376))
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=pem, capture_output=True, text=True, check=True
    ).stdout
    names = re.search(r"Subject Alternative Name: \n\s+(.*)", said)
    assert names is not None
    assert set(names[1].split(", ")) == {
        *("DNS:box", "DNS:localhost", "DNS:box.example", "IP Address:127.0.0.1"),
        *("IP Address:0:0:0:0:0:0:0:1", f"IP Address:{host.address}"),
    }
    assert "prime256v1" in said


def test_the_reads_answer(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("ip", "box") == (0, f"{host.address}\n", "")
    assert shop.mctl("url", "box") == (0, f"tcp://{host.address}:2376\n", "")
    assert shop.mctl("status", "box") == (0, "Running\n", "")
    assert shop.mctl("ls", "-q") == (0, "box\n", "")
    row = shop.mctl("ls").out.splitlines()[1].split()
    assert row[:5] == ["box", "-", "generic", "Running", f"tcp://{host.address}:2376"]


def test_ssh_passes_arguments_and_the_exit_code_through(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("ssh", "box", "echo", "'a b'", "&&", "exit", "7") == (7, "a b\n", "")
    assert shop.mctl("ssh", "box", "hostname").out == f"{host.container}\n"


def test_the_name_is_taken(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("create", "box", *options(host)) == (
        1,
        "",
        'Error: machine "box" already exists\n  hint: choose another name, or remove it: mctl rm box\n',
    )


def test_up_again_changes_nothing_and_leaves_containers_running(shop: Shop, host: ContainerHost) -> None:
    shop.docker("--context", "box", "run", "-d", "--name", "kept", "--network", "none", "tiny", "/bin/sleep", "600")
    before = host.exec("systemctl show -p MainPID docker")
    ran = shop.mctl("up", "box")
    assert (ran.code, ran.out) == (0, f"box tcp://{host.address}:2376\n")
    assert shop.mctl("preview", "box") == (0, "no changes\n", "")
    assert host.exec("systemctl show -p MainPID docker") == before
    assert shop.docker("--context", "box", "ps", "--format", "{{.Names}}") == "kept"


def test_a_lost_record_comes_back_from_the_stack(shop: Shop) -> None:
    record = shop.home / "machines" / "box"
    kept = {file.name: file.read_text() for file in record.iterdir() if file.name != "machine.json"}
    subprocess.run(["rm", "-r", record], check=True)
    assert shop.mctl("url", "box").out == f"{shop.inspect('box')['docker_url']}\n"
    assert {file.name: file.read_text() for file in record.iterdir() if file.name != "machine.json"} == kept


def test_a_damaged_record_is_named_and_refresh_mends_it(shop: Shop) -> None:
    file = shop.home / "machines" / "box" / "machine.json"
    file.write_text("{")
    ran = shop.mctl("url", "box")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith('Error: the record of machine "box" can\'t be read: ')
    assert ran.err.endswith("\n  hint: mctl refresh box\n")
    assert shop.mctl("refresh", "box").code == 0
    assert shop.mctl("url", "box").code == 0


def test_private_files_are_private(shop: Shop) -> None:
    for path in (shop.home / "machines" / "box").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600, path
    assert (shop.home / "passphrase").stat().st_mode & 0o777 == 0o600
    for folder in (shop.home, shop.home / "machines", shop.home / "machines" / "box", shop.home / "state"):
        assert folder.stat().st_mode & 0o777 == 0o700, folder


def test_no_private_key_is_in_clear_in_the_stack_state_or_the_declaration(shop: Shop) -> None:
    files = [file for file in (shop.home / "state").rglob("*") if file.is_file()] + [shop.home / "Pulumi.box.yaml"]
    assert len(files) > 2
    assert [str(file) for file in files if b"PRIVATE KEY" in file.read_bytes()] == []


def test_a_wrong_passphrase_is_named(shop: Shop) -> None:
    ran = shop.mctl("up", "box", variables={"PULUMI_CONFIG_PASSPHRASE": "not it"})
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == (
        "Error: the passphrase does not open this stack's secrets\n"
        "  hint: export PULUMI_CONFIG_PASSPHRASE=… with the one that the stack was made with\n"
    )


def test_power_is_not_ours_on_a_host_that_was_there(shop: Shop) -> None:
    assert shop.mctl("stop", "box") == (1, "", "Error: generic driver does not support stop\n")


def test_an_address_that_is_added_gives_a_new_certificate_in_the_same_up(shop: Shop, host: ContainerHost) -> None:
    file = shop.home / "Pulumi.box.yaml"
    file.write_text(re.sub(r"^( *)- box\.example$", r"\g<0>\n\1- 192.0.2.99", file.read_text(), flags=re.MULTILINE))
    assert shop.mctl("preview", "box") == (
        0,
        "STACK   MACHINE        WHAT HAPPENS\n"
        "box     box       ~    restarts the engine (containers keep running)\n"
        "  +- replace  tls:index/certRequest:CertRequest box-server  (ipAddresses)\n"
        "  +- replace  tls:index/locallySignedCert:LocallySignedCert box-server  (certRequestPem)\n"
        "  ~  update   command:remote:Command box-configure  (stdin)\n",
        "",
    )
    assert shop.mctl("up", "box").code == 0
    pem = ssl.get_server_certificate((host.address, 2376))
    said = subprocess.run(
        ["openssl", "x509", "-noout", "-ext", "subjectAltName"], input=pem, capture_output=True, text=True
    )
    assert "IP Address:192.0.2.99" in said.stdout


def test_rm_leaves_nothing_here_and_the_host_running(shop: Shop, host: ContainerHost) -> None:
    assert shop.mctl("rm", "-y", "box") == (0, "Successfully removed box\n", "")
    assert shop.left() == []
    assert host.exec("systemctl is-active docker").strip() == "active"
    assert shop.mctl("rm", "-y", "box") == (
        4,
        "",
        'Error: machine "box" does not exist\n  hint: mctl ls, or mctl create box\n',
    )
