"""A machine handed from one person to another: by an encrypted file, and from one home to the next."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.container_hosts import ContainerHost
from tests.hosts.shop import Shop, options

SECRET = {"MCTL_EXPORT_PASSPHRASE": "correct horse"}
EXPORTED = 'Exported stack "box" with machines box to {}.\n'
TAKEN = 'Error: machine "box" already exists\n  hint: choose another name, or remove it: mctl rm box\n'


@pytest.fixture(scope="module")
def alice(tmp_path_factory: pytest.TempPathFactory, host: ContainerHost) -> Shop:
    """Someone with the machine `box`, and a file of it."""
    alice = Shop(tmp_path_factory.mktemp("alice"))
    ran = alice.mctl("create", "box", *options(host), "--engine-label", "tier=web")
    assert ran.code == 0, ran.err
    ran = alice.mctl("export", "box", "-o", "box.mctl", variables=SECRET)
    assert (ran.code, ran.out) == (0, EXPORTED.format("box.mctl")), ran.err
    assert ran.err.endswith("To use it on another computer, run there: mctl import box.mctl\n")
    return alice


@pytest.fixture(scope="module")
def file(alice: Shop) -> Path:
    return alice.folder / "box.mctl"


@pytest.fixture
def bob(tmp_path: Path) -> Shop:
    bob = Shop(tmp_path / "bob")
    bob.folder.mkdir()
    return bob


def uses_it(shop: Shop, host: ContainerHost) -> None:
    """Have a person reach the daemon and the host, and change nothing by an `up`."""
    assert shop.docker("--context", "box", "version", "--format", "{{.Server.Version}}")
    assert shop.mctl("ssh", "box", "hostname").out == f"{host.container}\n"
    assert shop.mctl("preview", "box") == (0, "no changes\n", "")


def test_the_file_is_private_and_holds_nothing_in_clear(file: Path) -> None:
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert content.startswith(b"mctl export 1\n")
    assert b"PRIVATE KEY" not in content
    assert b"mctl:machines" not in content


def test_another_person_with_another_passphrase_uses_the_machine(
    alice: Shop, bob: Shop, file: Path, host: ContainerHost
) -> None:
    ran = bob.mctl("import", str(file), variables=SECRET)
    assert (ran.code, ran.out) == (0, 'Imported stack "box".\n'), ran.err
    assert (bob.home / "passphrase").read_text() != (alice.home / "passphrase").read_text()
    assert str(host.private_key) not in (bob.home / "Pulumi.box.yaml").read_text()
    uses_it(bob, host)
    files = [file for file in (bob.home / "state").rglob("*") if file.is_file()] + [bob.home / "Pulumi.box.yaml"]
    assert [str(file) for file in files if b"PRIVATE KEY" in file.read_bytes()] == []
    again = bob.mctl("import", str(file), variables=SECRET)
    assert (again.code, again.out) == (0, 'Imported stack "box".\n')
    uses_it(alice, host)


def test_what_would_be_done_is_shown_as_json(bob: Shop, file: Path) -> None:
    ran = bob.mctl("import", str(file), "--dry-run", "--json", variables=SECRET)
    assert (ran.code, ran.err) == (0, "")
    assert json.loads(ran.out) == [{"name": "box", "driver": "generic", "stack": "box", "notes": []}]
    assert bob.mctl("ls", "-q").out == ""


def test_a_wrong_passphrase_a_missing_one_and_a_damaged_file_are_told_apart(bob: Shop, file: Path) -> None:
    assert bob.mctl("import", str(file), variables={"MCTL_EXPORT_PASSPHRASE": "wrong"}) == (
        1,
        "",
        f"Error: the passphrase does not open {file}\n  hint: use the one that it was exported with\n",
    )
    assert bob.mctl("import", str(file)) == (
        2,
        "",
        "Error: there is no passphrase for the export\n"
        "  hint: --passphrase-file FILE, or export MCTL_EXPORT_PASSPHRASE=…\n",
    )
    damaged = bob.folder / "damaged.mctl"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    assert bob.mctl("import", str(damaged), variables=SECRET) == (
        1,
        "",
        f"Error: {damaged} is damaged: it is not as it was written\n  hint: copy it again, or export it again\n",
    )
    damaged.write_bytes(b"mctl export 2\n")
    assert bob.mctl("import", str(damaged), variables=SECRET) == (
        2,
        "",
        f"Error: {damaged} was written by a newer mctl\n  hint: install that one, and import it again\n",
    )
    assert bob.left() == []


def test_a_name_that_is_taken_is_not_overwritten(alice: Shop, bob: Shop, file: Path) -> None:
    ran = alice.mctl("export", "box", "-o", "box.mctl", variables=SECRET)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.endswith("Error: box.mctl is there already\n  hint: choose another file with -o FILE\n")
    declared = bob.home / "Pulumi.other.yaml"
    assert bob.mctl("ls", "-q").code == 0
    declared.parent.mkdir(exist_ok=True)
    declared.write_text('{"config": {"mctl:machines": {"box": {"provider": "qemu"}}}}')
    ran = bob.mctl("import", str(file), variables=SECRET)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith('Error: machine "box" is declared in stack other\n')


def test_a_home_is_imported_from_its_folder_and_stays_as_it_is(alice: Shop, bob: Shop, host: ContainerHost) -> None:
    before = (alice.home / "Pulumi.box.yaml").read_text()
    shown = bob.mctl("import", "--from", str(alice.home), "--dry-run")
    assert (shown.code, shown.out.splitlines()[1].split()) == (0, ["box", "generic", "box"])
    ran = bob.mctl("import", "box", "--from", str(alice.home))
    assert (ran.code, ran.out) == (0, 'Imported stack "box".\n'), ran.err
    uses_it(bob, host)
    assert (alice.home / "Pulumi.box.yaml").read_text() == before
    assert alice.mctl("preview", "box").out == "no changes\n"
    ran = bob.mctl("import", "nope", "--from", str(alice.home))
    assert (ran.code, ran.err) == (
        4,
        f'Error: there is no machine "nope" in {alice.home}\n  hint: mctl import --dry-run\n',
    )


def test_a_host_is_imported_by_its_address_and_keeps_its_engine(bob: Shop, host: ContainerHost) -> None:
    version = host.exec("docker version --format '{{.Server.Version}}'").strip()
    address = [*options(host)[2:]]
    shown = bob.mctl("import", "box", "--dry-run", *address)
    assert (shown.code, shown.err) == (0, "")
    assert "its Docker Engine stays" in shown.out
    ran = bob.mctl("import", "box", *address)
    assert (ran.code, ran.out) == (0, 'Imported machine "box".\n'), ran.err
    assert bob.inspect("box")["engine_version"] == version
    uses_it(bob, host)


def test_a_machine_on_this_computer_is_not_exported(alice: Shop) -> None:
    (alice.home / "Pulumi.here.yaml").write_text('{"config": {"mctl:machines": {"vm": {"provider": "qemu"}}}}')
    ran = alice.mctl("export", "vm", variables=SECRET)
    (alice.home / "Pulumi.here.yaml").unlink()
    assert ran == (
        1,
        "",
        'Error: machine "vm" lives on this computer (qemu), and can\'t be used from another\n'
        "  hint: reach it over SSH to this computer, or make it on a host that others reach\n",
    )
    assert not (alice.folder / "here.mctl").exists()
