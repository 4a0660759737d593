"""Certificates made anew on a real daemon: control of it is never lost, whenever the run is killed."""

from __future__ import annotations

import signal
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from cryptography import x509

from tests.cli_runner import PROGRAM, Ran
from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options

QUESTION = "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): "
STEPS = (
    "Making a new authority, and trusting it",
    "Giving the machines certificates of the new authority",
    "(box) restarting Docker Engine",
    "Taking the client certificate of the new authority",
    "Forgetting the authority before",
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    shop = Shop(tmp_path_factory.mktemp("certificates"))
    ran = shop.mctl("create", "box", *options(host))
    assert ran.code == 0, ran.err
    return shop


def answered(shop: Shop, answer: str) -> Ran:
    command = [PROGRAM, "regenerate-certs", "box"]
    done = subprocess.run(
        command, input=answer, capture_output=True, text=True, env=shop.variables, cwd=shop.folder, check=False
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def server(host: ContainerHost) -> x509.Certificate:
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((host.address, 2376)).encode())


def pems(shop: Shop, name: str) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((shop.home / "machines" / "box" / name).read_bytes())


def docker_answers(shop: Shop) -> str:
    """Ask through the context; a daemon that is just restarting gets a while."""
    end = time.monotonic() + 30
    while True:
        try:
            return shop.docker("--context", "box", "info", "--format", "{{.ServerVersion}}")
        except subprocess.CalledProcessError:
            if time.monotonic() > end:
                raise
            time.sleep(0.5)


def test_no_is_an_answer_and_changes_nothing(shop: Shop, host: ContainerHost) -> None:
    before = server(host)
    assert answered(shop, "n\n") == (0, "", QUESTION)
    assert server(host) == before


def test_a_machine_gets_a_new_certificate_of_the_same_authority(shop: Shop, host: ContainerHost) -> None:
    before, authority, client = server(host), pems(shop, "ca.pem"), pems(shop, "cert.pem")
    ran = answered(shop, "y\n")
    assert (ran.code, ran.out) == (0, 'Regenerated the TLS certificates of machine "box".\n'), ran.err
    after = server(host)
    assert after.serial_number != before.serial_number
    assert after.public_key() != before.public_key()
    assert (pems(shop, "ca.pem"), pems(shop, "cert.pem")) == (authority, client)
    assert docker_answers(shop)
    assert shop.mctl("preview", "box").out == "no changes\n"


def test_a_new_client_certificate_is_asked_for(shop: Shop, host: ContainerHost) -> None:
    authority, client = pems(shop, "ca.pem"), pems(shop, "cert.pem")
    assert shop.mctl("regenerate-certs", "--force", "--client-certs", "box").code == 0
    assert pems(shop, "ca.pem") == authority
    assert pems(shop, "cert.pem") != client
    assert docker_answers(shop)


def test_a_roll_of_the_authority_that_is_killed_at_every_step_never_loses_control(
    shop: Shop, host: ContainerHost
) -> None:
    (first,) = pems(shop, "ca.pem")
    before = shop.folder / "before"
    before.mkdir()
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (before / name).write_bytes((shop.home / "machines" / "box" / name).read_bytes())
    for step in STEPS:
        run = shop.start("regenerate-certs", "-y", "--ca", "box")
        assert run.stdout is not None
        said = [line for line in iter(run.stdout.readline, f"{step}\n") if line]
        assert run.poll() is None, said
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert docker_answers(shop), step
    ran = shop.mctl("regenerate-certs", "-y", "--ca", "box")
    assert (ran.code, ran.out) == (0, 'Regenerated the TLS certificates of machine "box".\n'), ran.err
    (last,) = pems(shop, "ca.pem")
    assert last.public_key() != first.public_key()
    assert docker_answers(shop)
    assert shop.mctl("preview", "box").out == "no changes\n"
    assert "refused" in refusal(before, host)


def refusal(folder: Path, host: ContainerHost) -> str:
    """Say whether the daemon refuses what is in a folder."""
    context = ssl._create_unverified_context()
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    import http.client

    connection = http.client.HTTPSConnection(host.address, 2376, context=context, timeout=20)
    try:
        connection.request("GET", "/version")
        return f"answered {connection.getresponse().status}"
    except (ssl.SSLError, ConnectionError):
        return "refused"
    finally:
        connection.close()


def test_rm_after_a_roll_leaves_nothing(shop: Shop) -> None:
    assert shop.mctl("rm", "-y", "box") == (0, "Successfully removed box\n", "")
    assert shop.left() == []


def test_an_unknown_machine_exits_4(shop: Shop) -> None:
    assert shop.mctl("regenerate-certs", "-y", "nope") == (
        4,
        "",
        'Error: machine "nope" does not exist\n  hint: mctl ls, or mctl create nope\n',
    )
