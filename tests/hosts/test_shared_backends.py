"""Stacks at a real PostgreSQL and at moto's S3: moved there by the real program, and shared by two computers."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from infra.stacks.pulumi_program import look
from tests.certificates import Authority
from tests.cli_runner import Ran
from tests.hosts.shop import Shop
from tests.state_servers import Aws, aws, postgres

SECONDS = 60
DAEMON = ("-d", "none", "--url", "tcp://127.0.0.1:9")


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture(scope="module")
def cloud() -> Iterator[Aws]:
    with aws() as served:
        yield served


@pytest.fixture
def first(tmp_path: Path, cloud: Aws) -> Shop:
    return computer(tmp_path / "first", cloud)


@pytest.fixture
def second(tmp_path: Path, cloud: Aws) -> Shop:
    return computer(tmp_path / "second", cloud)


def computer(folder: Path, cloud: Aws) -> Shop:
    folder.mkdir()
    made = Shop(folder)
    made.variables |= cloud.variables
    return made


def with_certificates(folder: Path) -> tuple[str, ...]:
    client = Authority().client()
    for file, text in (("ca.pem", client.cert), ("cert.pem", client.cert), ("key.pem", client.key)):
        (folder / file).write_text(text)
    return (*DAEMON, "--none-cert-path", str(folder))


def done(ran: Ran) -> Ran:
    assert ran.code == 0, ran.err
    return ran


def key(shop: Shop) -> str:
    return (shop.home / "machines/build/key.pem").read_text()


def stacks_by_hand(shop: Shop) -> list[str]:
    """Ask the engine, which knows from Pulumi.yaml alone where the stacks are."""
    variables = shop.variables | {"PULUMI_HOME": str(shop.home / "pulumi"), "PULUMI_SKIP_UPDATE_CHECK": "true"}
    said = subprocess.run(
        [look().path, "stack", "ls", "--json"], cwd=shop.home, env=variables, capture_output=True, check=True
    )
    return sorted(stack["name"] for stack in json.loads(said.stdout))


def test_two_people_share_stacks_at_postgres(first: Shop, second: Shop, database: str, tmp_path: Path) -> None:
    done(first.mctl("create", "build", *with_certificates(tmp_path)))
    done(first.mctl("create", "other", *DAEMON))
    assert done(first.mctl("backend", "set", database)).out == f"Moved 2 stack(s) to {database}\n"
    assert stacks_by_hand(first) == ["build", "other"]
    assert not list((first.home / "state").rglob("stacks/mctl/*"))
    assert first.mctl("preview", "build") == (0, "no changes\n", "")
    nobody = "postgres://mctl@127.0.0.1:1/states?sslmode=disable"
    refused = first.mctl("backend", "set", nobody)
    assert (refused.code, refused.out) == (3, "")
    assert refused.err.startswith(f"Error: {nobody} can't be used: unable to open state database")
    assert first.mctl("backend", "set", database) == (0, f"the stacks are at {database} already\n", "")

    refused = second.mctl("attach", database)
    assert (refused.code, refused.out) == (1, ""), refused.err
    assert "Error: there is no passphrase to open the stack's secrets with\n" in refused.err
    attached = done(second.mctl("attach", database, "--passphrase-file", str(first.home / "passphrase")))
    assert attached.out == "build tcp://127.0.0.1:9\nother tcp://127.0.0.1:9\n"
    assert (key(second), second.contexts()) == (key(first), ["build", "other"])

    # At once, and each knows of the other's machine by the backend alone: neither undoes the other.
    runs = [
        shop.start("create", name, *DAEMON, "--stack", "build", "--wait=120")
        for shop, name in ((first, "ours"), (second, "theirs"))
    ]
    said = [run.communicate(timeout=SECONDS * 4)[0] for run in runs]
    ended = [run.returncode for run in runs]
    if ended != [0, 0]:  # the one that was overtaken is told so, and goes on by the same command
        assert sorted(ended) == [0, 1], said
        assert any("Error: stack build was changed on another computer just now\n" in text for text in said), said
        shop, name = ((first, "ours"), (second, "theirs"))[ended.index(1)]
        done(shop.mctl("create", name, *DAEMON, "--stack", "build"))
    for shop in (first, second):
        assert done(shop.mctl("attach")).out.count("\n") == 4
        assert shop.mctl("ls", "-q").out == "build\nother\nours\ntheirs\n"
    done(first.mctl("rm", "-y", "theirs", "other"))
    done(second.mctl("attach"))
    assert (second.mctl("ls", "-q").out, second.contexts()) == ("build\nours\n", ["build", "ours"])
    assert second.mctl("preview", "build") == (0, "no changes\n", "")


def stop_half_way(shop: Shop, stack: str, provider: str) -> None:
    """Leave what a kill leaves between the two writes of a change of the key: a file that opens nothing, and a note."""
    file = shop.home / f"Pulumi.{stack}.yaml"
    before = file.read_text()
    file.write_text(before.replace("encryptionsalt: ", f"secretsprovider: {provider}\nencryptedkey: "))
    name = sha256(str(shop.home.resolve()).encode()).hexdigest()[:16]
    note = shop.home / "under-way" / f"{name}.re-encrypt.json"
    note.parent.mkdir(mode=0o700, exist_ok=True)
    note.write_text(json.dumps({"to": provider, "done": [], "files": {stack: before}}))


def test_stacks_at_s3_under_a_key_at_kms_open_without_a_passphrase(
    first: Shop, second: Shop, cloud: Aws, tmp_path: Path
) -> None:
    done(first.mctl("create", "build", *with_certificates(tmp_path)))
    stop_half_way(first, "build", cloud.kms_url)
    moved = done(first.mctl("backend", "set", cloud.s3_url, "--secrets-provider", cloud.kms_url))
    assert moved.out == (
        f"Encrypted the secrets of 1 stack(s) by {cloud.kms_url}\nMoved 1 stack(s) to {cloud.s3_url}\n"
    )
    assert done(first.mctl("backend")).out == f"{cloud.s3_url}\nsecrets: {cloud.kms_url}\n"
    assert done(second.mctl("attach", cloud.s3_url)).out == "build tcp://127.0.0.1:9\n"
    assert key(second) == key(first)
    done(second.mctl("create", "other", *DAEMON))
    assert f"secretsprovider: {cloud.kms_url}\n" in (second.home / "Pulumi.other.yaml").read_text()
    assert not (second.home / "passphrase").exists()
    done(second.mctl("rm", "-y", "build", "other"))
    assert stacks_by_hand(first) == []


def test_a_move_that_is_killed_anywhere_loses_nothing_and_the_same_command_ends_it(
    first: Shop, second: Shop, tmp_path: Path
) -> None:
    for name in ("build", "other"):
        done(first.mctl("create", name, *DAEMON))
    url = (tmp_path / "shared states").as_uri()
    for line in ("Copying stack build", "Copying stack other", "Removing stack build", "Removing stack other"):
        run = first.start("backend", "set", url)
        assert run.stdout is not None
        for said in run.stdout:
            if said.startswith(line):
                run.kill()
        run.wait()
        assert run.returncode in (0, -signal.SIGKILL)
        there = {file.stem for file in tmp_path.rglob("stacks/mctl/*.json")}
        assert there == {"build", "other"}
    ended = first.mctl("backend", "set", url)
    assert ended.code == 0, ended.err
    assert not list((first.home / "state").rglob("stacks/mctl/*.json"))
    for name in ("build", "other"):
        assert first.mctl("preview", name) == (0, "no changes\n", "")

    done(second.mctl("create", "build", *DAEMON))
    taken = second.mctl("backend", "set", url)
    assert (taken.code, taken.out) == (1, "")
    assert taken.err.startswith(f"Error: there is a stack build at {url} already\n")
    done(second.mctl("rm", "-y", "build"))
    done(first.mctl("rm", "-y", "build", "other"))
    assert not list(tmp_path.rglob("stacks/mctl/*"))


def test_a_lock_of_another_computer_is_told_waited_for_and_cleared_on_demand(first: Shop) -> None:
    done(first.mctl("create", "build", *DAEMON))
    lock = first.home / "state/.pulumi/locks/organization/mctl/build/a.json"
    lock.parent.mkdir(parents=True, exist_ok=True)
    says = {"pid": 7, "username": "ann", "hostname": "elsewhere", "timestamp": "2026-11-25T03:01:05+01:00"}
    lock.write_text(json.dumps(says))
    by = "ann@elsewhere (pid 7) since 2026-11-25 02:01:05 UTC"
    assert first.mctl("up", "build") == (
        1,
        "",
        f"Error: stack build is locked by {by}\n"
        "  hint: wait for it to end: the same command with --wait does; if that run is dead, mctl unlock build\n",
    )
    assert first.mctl("up", "build", "--wait=0.5").err.startswith(f"Waiting for {by}\nError: stack build is locked by ")
    waiting = first.start("up", "build", "--wait")
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == f"Waiting for {by}\n"
    assert first.mctl("unlock", "--yes", "build").code == 1  # the waiting run has the stack on this computer
    lock.unlink()
    assert waiting.communicate(timeout=SECONDS)[0] == "build tcp://127.0.0.1:9\n"
    lock.write_text(json.dumps(says))
    assert first.mctl("unlock", "--yes", "build") == (0, "Unlocked stack build\n", "")
    assert first.mctl("up", "build") == (0, "build tcp://127.0.0.1:9\n", "")
